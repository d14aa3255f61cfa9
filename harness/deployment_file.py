"""A deployment that is there already: its addresses from a file, the rest from the ledger.

An address on an envelope says where a house is; how many rooms it has one sees by going there. The
file names the accounts; price, bot tax, stock, minimum and authority are read from them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.pubkey import Pubkey

from harness.candy_config import CandyConfig, HiddenSettings
from harness.deployment import Deployment
from harness.errors import UsageError
from programs.addresses import CLOCK_SYSVAR
from programs.buyback import client as buyback
from programs.candy_guard import client as candy_guard
from programs.candy_machine import client as candy_machine
from programs.token_metadata import client as token_metadata

T = TypeVar("T")

_UNIX_TIME = slice(32, 40)  # of the clock's account
_ADDRESSES = (
    "candy_machine", "candy_guard", "collection_mint", "buyback_program", "buyback_config",
    "treasury",
)  # fmt: skip


@dataclass(frozen=True)
class DeploymentFile:
    """Addresses of an economy that somebody else set up. `box_id` is None where not named."""

    source: str
    candy_machine: Pubkey
    candy_guard: Pubkey
    collection_mint: Pubkey
    buyback_program: Pubkey
    buyback_config: Pubkey
    treasury: Pubkey
    box_id: str | None


@dataclass(frozen=True)
class FoundDeployment:
    """What is at those addresses. `items_redeemed` boxes were sold before."""

    deployment: Deployment
    config: CandyConfig
    min_treasury_lamports: int
    items_redeemed: int


def read_deployment_file(path: Path) -> DeploymentFile:
    """What `harness up --json` prints or `harness provision deploy` writes.

    Other keys are ignored. Raises UsageError naming the key that is missing or wrong.
    """
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(f"{path.name}: is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path.name}: must be an object with addresses")
    found: dict[str, Pubkey] = {}
    for name in _ADDRESSES:
        if name not in values:
            raise UsageError(f"{path.name}: {name}: is missing")
        try:
            found[name] = Pubkey.from_string(values[name])
        except (ValueError, TypeError):
            raise UsageError(f"{path.name}: {name}: is no address") from None
    box_id = values.get("box_id")
    if box_id is not None and not isinstance(box_id, str):
        raise UsageError(f"{path.name}: box_id: must be a text")
    return DeploymentFile(source=path.name, box_id=box_id, **found)


def find_deployment(file: DeploymentFile, client: Client) -> FoundDeployment:
    """Read the accounts that the file names.

    Raises UsageError if one is not there, is something else or does not belong to the others: the
    file is wrong, or --ledger is not the ledger that the backend uses. Also if the machine's start
    is yet to come: every mint would be taxed.
    """

    def read(name: str, address: Pubkey, parse: Callable[[bytes], T]) -> T:
        account = client.get_account_info(address, Confirmed).value
        if account is None:
            raise UsageError(
                f"{file.source}: {name}: no such account on the ledger; is it the backend's?"
            )
        try:
            return parse(bytes(account.data))
        except (ValueError, IndexError, ArithmeticError) as error:
            raise UsageError(f"{file.source}: {name}: {error}") from None

    machine = read("candy_machine", file.candy_machine, candy_machine.CandyMachine.parse)
    guards = read("candy_guard", file.candy_guard, candy_guard.Guards.parse)
    terms = read("buyback_config", file.buyback_config, buyback.Config.parse)
    collection = read(
        "collection_mint",
        token_metadata.metadata_address(file.collection_mint),
        token_metadata.Metadata.parse,
    )
    for name, given, known in (
        ("candy_guard", file.candy_guard, machine.mint_authority),
        ("collection_mint", file.collection_mint, machine.collection_mint),
        ("collection_mint", file.collection_mint, terms.collection_mint),
        ("treasury", file.treasury, terms.treasury),
        (
            "buyback_config",
            file.buyback_config,
            buyback.config_address(terms.version, file.buyback_program),
        ),
    ):
        if given != known:
            raise UsageError(f"{file.source}: {name}: on the ledger it is {known}")
    if guards.start_date is not None:
        now = _now_on(client)
        if now <= guards.start_date:
            raise UsageError(
                f"{file.source}: candy_guard: nobody can mint before "
                f"{guards.start_date:%Y-%m-%d %H:%M} UTC, and on the ledger it is "
                f"{now:%Y-%m-%d %H:%M}"
            )
    payment, tax, hidden = guards.sol_payment, guards.bot_tax, machine.hidden
    if payment is None or hidden is None:
        raise UsageError(
            f"{file.source}: the machine has no {'solPayment' if payment is None else 'hidden'} "
            "setting: it is not the guide's"
        )
    return FoundDeployment(
        deployment=Deployment(
            authority=collection.update_authority,
            treasury=file.treasury,
            destination=payment.destination,
            collection_mint=file.collection_mint,
            candy_machine=file.candy_machine,
            candy_guard=file.candy_guard,
            buyback_program=file.buyback_program,
            buyback_config=file.buyback_config,
            buyback_config_version=terms.version,
            machine=candy_guard.MintAccounts(
                machine=file.candy_machine,
                guard=file.candy_guard,
                collection_mint=file.collection_mint,
                collection_update_authority=collection.update_authority,
                guards=guards,
            ),
        ),
        config=CandyConfig(
            items_available=machine.items_available,
            symbol=machine.symbol,
            seller_fee_basis_points=0,
            is_mutable=True,
            hidden=HiddenSettings(hidden.name, hidden.uri, hidden.hash),
            creators=(),
            mint_price_lamports=payment.lamports,
            destination=payment.destination,
            bot_tax_lamports=0 if tax is None else tax.lamports,
            bot_tax_last_instruction=tax is not None and tax.last_instruction,
            start_date=guards.start_date,
            source=file.source,
        ),
        min_treasury_lamports=terms.min_treasury_balance,
        items_redeemed=machine.items_redeemed,
    )


def _now_on(client: Client) -> datetime:
    """The time by which the ledger's programs go."""
    clock = client.get_account_info(CLOCK_SYSVAR, Confirmed).value
    seconds = int.from_bytes(bytes(clock.data)[_UNIX_TIME], "little") if clock else 0
    return datetime.fromtimestamp(seconds, UTC)
