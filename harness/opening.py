"""Opening a testbed: everything up from one seed, and down again.

The order of a house being moved into: the ground (ledger), the papers (addresses, journal), the
furniture (programs, machine, treasury), then the people who work there (backend).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from sqlalchemy import create_engine

from harness.address_book import AddressBook
from harness.backend_server import serve_reference_backend
from harness.candy_config import CandyConfig
from harness.clock import VirtualClock
from harness.deployment import deploy
from harness.faults.rpc_proxy import RpcProxy
from harness.journal import Journal
from harness.ledger.preloaded import program_images
from harness.ledger.refund import give_back
from harness.ledger.sources import EmbeddedSource, LedgerSource
from harness.market import Market
from harness.players.api import BackendApi
from harness.players.row_watch import RowWatch
from harness.programs.sets import PROGRAMS, ProgramSet, open_set
from harness.redis.place import RedisPlace
from harness.seeds import Seed
from harness.settings import PROMISED_ODDS, TestbedSettings
from harness.submission import (
    Submission,
    sign,
    submit,
)
from harness.testbed import BOX_ID, Testbed
from programs.buyback import client as buyback

#: Fewer boxes than this no machine sells here: there are scenarios that take a few dozen.
_ITEMS_MIN = 100
_WELL_KNOWN = {
    "system": "11111111111111111111111111111111",
    "token": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "associated_token": "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
    "compute_budget": "ComputeBudget111111111111111111111111111111",
}


@contextmanager
def open_testbed(
    *,
    seed: Seed,
    settings: TestbedSettings,
    config: CandyConfig,
    database_url: str,
    ledger_source: LedgerSource | None = None,
    log_folder: Path | None = None,
    journal_path: Path,
    scenario: str,
    title: str = "",
    story: str = "",
    rpc_port: int = 0,
    backend_port: int = 0,
    programs: ProgramSet | None = None,
    rolls: random.Random | None = None,
    redis: RedisPlace | None = None,
) -> Iterator[Testbed]:
    """Bring a whole testbed up; take it down on leaving.

    `database_url` names an empty, migrated and seeded database of this testbed's own. The ledger
    is an embedded one unless `ledger_source` says otherwise; what it logs goes to `log_folder`.
    The backend draws from `rolls`, by default a generator of the seed's own.
    Raises StartError if any part will not start.
    """
    with ExitStack() as stack:
        source = ledger_source or EmbeddedSource()
        clock = source.new_clock()
        if isinstance(clock, VirtualClock):
            _go_live(clock, config)
        keys = source.keys(seed)
        authority, treasury = source.authority(keys), keys.keypair("treasury")
        ledger = stack.enter_context(
            source.open(
                clock=clock,
                images=program_images(authority.pubkey(), programs),
                scenario=keys,
                log=(log_folder or journal_path.parent) / f"{journal_path.stem}.ledger.log",
                rpc_port=rpc_port,
            )
        )
        client = ledger.client()
        first_slot = client.get_slot(Confirmed).value if source.shared else 0
        book = AddressBook()
        well_known(book)
        book.add("authority", authority.pubkey())
        book.add("treasury", treasury.pubkey())
        if ledger.funder is not None:
            book.add("faucet", ledger.funder)
        journal = Journal(journal_path, scenario, clock)
        stack.callback(journal.close)
        items = settings.items_available or max(config.items_available, _ITEMS_MIN)
        config = dataclasses.replace(config, items_available=items)
        journal.write(
            "scenario",
            title=title,
            story=story,
            seed=seed.text,
            config={
                "mint_price_lamports": config.mint_price_lamports,
                "bot_tax_lamports": config.bot_tax_lamports,
                "items_available": items,
                "odds": {tier: str(share) for tier, share in PROMISED_ODDS.items()},
                "buyback_rate": str(settings.buyback_rate),
                "sol_usd": str(settings.sol_usd),
                "min_treasury_lamports": settings.min_treasury_lamports,
            },
        )
        ledger.fund(authority.pubkey(), settings.authority_lamports)
        ledger.fund(treasury.pubkey(), settings.treasury_lamports)

        def operator_submit(
            action: str, instructions: Sequence[Instruction], signers: Sequence[Keypair]
        ) -> Submission:
            transaction, last_height = sign(client, instructions, signers)
            sent = submit(client, clock, transaction, last_height)
            entry = sent.receipt.as_journal(book) if sent.receipt else {}
            journal.write(
                "transaction", actor="operator", action=action, outcome=sent.outcome.value,
                nft=None, **entry,
            )  # fmt: skip
            return sent

        deployment = deploy(
            config,
            seed=keys,
            authority=authority,
            treasury=treasury.pubkey(),
            min_treasury_lamports=settings.min_treasury_lamports,
            items_available=items,
            submit=operator_submit,
            rent_lamports=lambda size: client.get_minimum_balance_for_rent_exemption(size).value,
            buyback_config_version=_config_version(client, source),
        )
        for name in ("candy_machine", "candy_guard", "collection_mint", "buyback_config"):
            book.add(f"the {name.replace('_', ' ')}", getattr(deployment, name))
        market = Market(clock, settings.sol_usd, settings.buyback_rate)
        weather = stack.enter_context(RpcProxy(ledger.rpc_url)) if settings.rpc_weather else None
        serve = partial(
            serve_reference_backend,
            deployment=deployment,
            placeholder_uri=config.hidden.uri,
            market=market,
            database_url=database_url,
            authority=authority,
            treasury=treasury,
            ledger=ledger,
            clock=clock,
            box_id=BOX_ID,
            rate_limit_requests=settings.rate_limit_requests,
            reveal_limit_requests=settings.reveal_limit_requests,
            rpc_url=None if weather is None else weather.url,
            redis=redis,
        )
        backend = stack.enter_context(
            serve(
                randomness=rolls or seed.generator("backend"),
                port=backend_port,
                process_log=(
                    journal_path.with_suffix(".backend.log") if settings.backend_process else None
                ),
            )
        )
        engine = create_engine(database_url)
        stack.callback(engine.dispose)
        watch = RowWatch(engine, book, journal)
        api = BackendApi(backend.base_url, book, journal, after_call=watch.look)
        stack.callback(api.close)
        bed = Testbed(
            seed=keys,
            settings=settings,
            config=config,
            clock=clock,
            ledger=ledger,
            client=client,
            book=book,
            journal=journal,
            deployment=deployment,
            backend=backend,
            api=api,
            engine=engine,
            market=market,
            another_backend=lambda **changes: serve(
                randomness=seed.generator("another backend"), changes=changes
            ),
            programs=programs or open_set(),
            database_url=database_url,
            scratch=journal_path.parent,
            weather=weather,
            authority_key=authority,
            treasury_key=treasury,
            min_treasury_lamports=settings.min_treasury_lamports,
            first_slot=first_slot,
        )
        if source.shared and ledger.funder is not None:
            payer = ledger.funder
            stack.callback(
                lambda: give_back(
                    client, clock, [*(one.keypair for one in bed.players), treasury], payer
                )
            )
        bed.record_treasury("the treasury was funded")
        yield bed


def _go_live(clock: VirtualClock, config: CandyConfig) -> None:
    """Let a day pass after the machine's start if that is yet to come: before it nobody mints."""
    start = config.start_date
    if start is not None and clock.now() <= start:
        clock.sleep((start - clock.now() + timedelta(days=1)).total_seconds())


def well_known(book: AddressBook) -> None:
    """Enter the programs that every economy uses."""
    for program in PROGRAMS:
        book.add(program.name, program.address)
    for name, written in _WELL_KNOWN.items():
        book.add(name, Pubkey.from_string(written))


def _config_version(client: Client, source: LedgerSource) -> int:
    """The buyback configuration to make: on a shared ledger one that nobody has."""
    if not source.shared:
        return buyback.CONFIG_VERSION
    from harness.ledger.cluster import free_config_version

    return free_config_version(client)
