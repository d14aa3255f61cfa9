"""The testbed: ledger, database, backend and deployed programs, up and down as one.

A doll's house of the whole economy. Opening it sets everything up from one seed; inside, players
and operator move; the journal writes down what they do; judges look at what is left; closing it
takes everything away again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from sqlalchemy import Engine

from harness.address_book import AddressBook
from harness.backend_server import Backend, remigrate
from harness.boxes import BoxOnSale
from harness.candy_config import CandyConfig
from harness.checks import JUDGES, Evidence, Judge, Judgement, gather
from harness.checks.evidence import Machine, Seller
from harness.checks.secrecy import judge_secrecy
from harness.clock import Clock
from harness.database.backup import dump, restore
from harness.database.protocol import Database
from harness.deployment import Deployment
from harness.faults.rpc_proxy import RpcProxy
from harness.journal import Journal
from harness.ledger.protocol import Ledger
from harness.market import Market
from harness.players.api import BackendApi
from harness.players.books import Books
from harness.players.nft import Nft
from harness.players.operator import Operator
from harness.players.player import Player
from harness.players.wallets import PLAIN, Wallet
from harness.programs.sets import ProgramSet
from harness.receipt import redacted_logs
from harness.run.target import Lacks
from harness.seeds import Seed
from harness.settings import TestbedSettings
from harness.submission import (
    COMPUTE_UNITS_LIMIT,
    Submission,
    await_receipt,
    sign,
    submit,
)
from programs.addresses import associated_token_address
from programs.token_metadata import client as token_metadata

#: The box that the guide's machine sells.
BOX_ID = "mystery-box"

_BOXES_A_PLAYER = 10
_PURSE_LAMPORTS_MIN = 2_000_000_000  # rent and fees, however cheap a box is
_TOKEN_AMOUNT = slice(64, 72)  # of an SPL token account


@dataclass
class Testbed:
    """One running economy. Made by `harness.opening`, not by hand."""

    __test__ = False  # not a pytest class, whatever its name says

    seed: Seed
    settings: TestbedSettings
    config: CandyConfig
    clock: Clock
    ledger: Ledger
    client: Client
    book: AddressBook
    journal: Journal
    deployment: Deployment
    backend: Backend
    api: BackendApi
    engine: Engine
    market: Market
    #: Serves one more backend over the same database, with other variables (in lower case).
    another_backend: Callable[..., AbstractContextManager[Backend]]
    programs: ProgramSet
    #: With its password: not for journals.
    database_url: str
    #: A folder for files of this scenario.
    scratch: Path
    #: Between the backend and the ledger, where a scenario asked for weather.
    weather: RpcProxy | None
    authority_key: Keypair
    treasury_key: Keypair
    min_treasury_lamports: int
    box_id: str = BOX_ID
    #: The server that the backend's database is on; set by whoever opened it.
    database: Database | None = None
    #: Where this testbed's part of a shared ledger begins.
    first_slot: int = 0
    #: Whether somebody else runs the backend: no tables, no logs, no prices to judge by.
    foreign: bool = False
    #: Boxes that the machine had sold before this testbed was opened.
    items_redeemed_before: int = 0
    #: What a story asked for that this testbed does not have; it is skipped then.
    lacked: list[str] = field(default_factory=list)
    players: list[Player] = field(default_factory=list)
    operator: Operator = field(init=False)
    books: Books = field(init=False)
    #: Box types beside the guide's, put on sale by the operator.
    other_boxes: list[BoxOnSale] = field(default_factory=list)
    #: Every treasury that may pay: more than one while a release is rolled out.
    treasuries: list[Pubkey] = field(init=False)
    buyback_programs: list[Pubkey] = field(init=False)
    _nfts: int = 0
    _minted_at: dict[Pubkey, datetime] = field(default_factory=dict)
    _waiting: threading.Lock = field(default_factory=threading.Lock)
    _recorded: set[Signature] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.operator = Operator(self, self.authority_key, self.treasury_key)
        self.books = Books(self.engine)
        self.treasuries = [self.deployment.treasury]
        self.buyback_programs = [self.deployment.buyback_program]

    # -- people ---------------------------------------------------------------------------------

    def player(self, lamports: int | None = None, wallet: Wallet = PLAIN) -> Player:
        """A new player with funds, who uses a wallet of the given habits."""
        name = f"player-{len(self.players) + 1}"
        keypair = self.seed.keypair(name)
        self.book.add(name, keypair.pubkey())
        self.ledger.fund(keypair.pubkey(), self._purse_lamports if lamports is None else lamports)
        player = Player(self, name, keypair, wallet)
        self.players.append(player)
        return player

    @property
    def bot_tax_lamports(self) -> int:
        """What a bot pays. Raises Lacks where the machine taxes none."""
        if not (self.config.bot_tax_lamports and self.config.bot_tax_last_instruction):
            self.lacked.append("needs a machine whose botTax has a value and lastInstruction")
            raise Lacks(self.lacked[0])
        return self.config.bot_tax_lamports

    @property
    def _purse_lamports(self) -> int:
        """What a player starts with: enough for what the scenarios do at any price of a box."""
        told = self.settings.player_lamports
        boxes = _BOXES_A_PLAYER * self.config.mint_price_lamports
        return max(_PURSE_LAMPORTS_MIN, boxes) if told is None else told

    def player_again(self, player: Player) -> Player:
        """The same person at another page: same wallet, same name."""
        return Player(self, player.name, player.keypair, player.wallet)

    def next_nft(self) -> tuple[int, Keypair]:
        """Number and key pair of the next NFT to mint."""
        self._nfts += 1
        return self._nfts, self.seed.keypair(f"nft-{self._nfts}")

    def expected_nft(self) -> Nft:
        """The NFT that the next mint will make, before it is there."""
        number = self._nfts + 1
        return Nft(self.seed.keypair(f"nft-{number}").pubkey(), f"nft-{number}")

    def minted(self, nft: Nft) -> None:
        """Note that an NFT is there from now on."""
        self._minted_at[nft.mint] = self.clock.now()

    def wait_for_metadata(self, nft: Nft) -> None:
        """Until its metadata is visible everywhere, by the guide's wait after its mint.

        People who wait at the same moment wait together: on a virtual clock ten waits one after
        the other would be two minutes, in which the blockhash of whoever signs meanwhile dies.
        """
        wait = timedelta(seconds=self.settings.propagation_seconds)
        with self._waiting:
            now = self.clock.now()
            left = self._minted_at.get(nft.mint, now) + wait - now
            if left > timedelta(0):
                self.clock.sleep(left.total_seconds())

    def back_up(self) -> Path:
        """Write the backend's database into a file."""
        file = self.scratch / f"{self.journal.path.stem}.dump"
        dump(self.database_url, file)
        return file

    def restore(self, file: Path) -> None:
        """Put the backend's database back, with the backend stopped meanwhile."""
        self.backend.stop()
        self.engine.dispose()
        restore(self.database_url, file)
        file.unlink()
        self.backend.start()

    def migrate_down_and_up(self, revision: str) -> None:
        """Take the schema back to a revision and up again, with the backend stopped meanwhile."""
        self.backend.stop()
        self.engine.dispose()
        remigrate(self.database_url, revision)
        self.backend.start()

    def change_rate(self, rate: str) -> None:
        """Restart the backend with another BUYBACK_RATE."""
        self.backend.restart(buyback_rate=rate)
        self.market.move(rate=Decimal(rate))

    # -- the ledger -----------------------------------------------------------------------------

    def balance_lamports(self, address: Pubkey) -> int:
        return self.client.get_balance(address, Confirmed).value

    def account_data(self, address: Pubkey) -> bytes | None:
        """The account's bytes; None if it does not exist or was closed."""
        account = self.client.get_account_info(address, Confirmed).value
        return None if account is None or account.lamports == 0 else bytes(account.data)

    def metadata(self, nft: Nft) -> token_metadata.Metadata:
        """The NFT's metadata on the ledger. Raises LookupError if it has none (any more)."""
        data = self.account_data(token_metadata.metadata_address(nft.mint))
        if data is None:
            raise LookupError(f"{nft.name} has no metadata on the ledger")
        return token_metadata.Metadata.parse(data)

    def exists(self, nft: Nft) -> bool:
        """Whether the NFT is on the ledger: it is gone once its metadata is closed."""
        return self.account_data(token_metadata.metadata_address(nft.mint)) is not None

    def rent_of(self, nft: Nft) -> int:
        """Lamports in the three accounts that burning the NFT gives back to its holder."""
        holder = next(player for player in self.players if self.holds(player, nft))
        return sum(
            self.balance_lamports(address)
            for address in (
                associated_token_address(holder.pubkey, nft.mint),
                token_metadata.metadata_address(nft.mint),
                token_metadata.edition_address(nft.mint),
            )
        )

    def holds(self, player: Player, nft: Nft) -> bool:
        """Whether the NFT is in the player's wallet."""
        data = self.account_data(associated_token_address(player.pubkey, nft.mint))
        return data is not None and int.from_bytes(data[_TOKEN_AMOUNT], "little") == 1

    def submit(
        self,
        actor: str,
        action: str,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        *,
        nft: str | None = None,
        compute_units_limit: int | None = COMPUTE_UNITS_LIMIT,
        skip_preflight: bool = False,
        version0: bool = False,
        wait_seconds: float = 0,
    ) -> Submission:
        """Sign, send and settle a transaction; the first signer pays. Written to the journal.

        `wait_seconds` pass between signing and sending.
        """
        transaction, last_height = sign(
            self.client,
            instructions,
            signers,
            compute_units_limit=compute_units_limit,
            version0=version0,
        )
        if wait_seconds:
            self.clock.sleep(wait_seconds)
        return self.send(
            actor, action, transaction, last_height, nft=nft, skip_preflight=skip_preflight
        )

    def send(
        self,
        actor: str,
        action: str,
        transaction: VersionedTransaction,
        last_height: int,
        *,
        nft: str | None = None,
        skip_preflight: bool = False,
    ) -> Submission:
        """Send and settle a transaction that is signed already. Written to the journal."""
        sent = submit(
            self.client, self.clock, transaction, last_height, skip_preflight=skip_preflight
        )
        self._journal_submission(actor, action, sent, nft)
        return sent

    def record_backend_transaction(self, action: str, signature: Signature, nft: str) -> None:
        """Write down a transaction that the backend sent, as the ledger has it; once."""
        if signature in self._recorded:
            return
        self._recorded.add(signature)
        receipt = await_receipt(self.client, self.clock, signature)
        if receipt is None:
            self.journal.write(
                "transaction", actor="backend", action=action, outcome="unknown", nft=nft,
                error={"name": "Unknown", "message": "the signature is not on the ledger"},
            )  # fmt: skip
            return
        outcome = "landed" if receipt.fault is None else "failed"
        self.journal.write(
            "transaction",
            actor="backend",
            action=action,
            outcome=outcome,
            nft=nft,
            **receipt.as_journal(self.book),
        )

    def record_treasury(self, cause: str) -> None:
        """Write the treasury's balance down, as the ledger has it."""
        self.journal.write(
            "treasury",
            lamports=self.balance_lamports(self.deployment.treasury),
            min_lamports=self.min_treasury_lamports,
            cause=cause,
        )

    def _journal_submission(
        self, actor: str, action: str, sent: Submission, nft: str | None
    ) -> None:
        entry = {"actor": actor, "action": action, "outcome": sent.outcome.value, "nft": nft}
        if sent.receipt is not None:
            self.journal.write("transaction", **entry, **sent.receipt.as_journal(self.book))
        else:
            fault = sent.fault
            self.journal.write(
                "transaction",
                **entry,
                error=fault and {"name": fault.name, "message": self.book.redact(fault.message)},
                size_bytes=len(bytes(sent.transaction)),
                logs=redacted_logs(sent.logs, self.book),
            )

    # -- judgement ------------------------------------------------------------------------------

    def evidence(self) -> Evidence:
        """What judges look at: ledger and database, read now."""
        return gather(
            client=self.client,
            book=self.book,
            settings=self.settings,
            machine=Machine(
                candy_machine=self.deployment.candy_machine,
                collection_mint=self.deployment.collection_mint,
                destination=self.deployment.destination,
                treasury=self.deployment.treasury,
                treasuries=tuple(self.treasuries),
                buyback_programs=tuple(self.buyback_programs),
                mint_price_lamports=self.config.mint_price_lamports,
                bot_tax_lamports=self.config.bot_tax_lamports,
                items_redeemed_before=self.items_redeemed_before,
                others=tuple(
                    Seller(
                        box.machine.machine,
                        self.deployment.destination,
                        box.mint_price_lamports,
                        self.config.bot_tax_lamports,
                    )
                    for box in self.other_boxes
                ),
            ),
            engine=None if self.foreign else self.engine,
            terms=() if self.foreign else self.market.history,
            log_text="" if self.foreign else self.backend.log_text(),
            secrets=() if self.foreign else self.backend.secrets,
            first_slot=self.first_slot,
        )

    @property
    def judges(self) -> list[Judge]:
        """Those who can judge here; nobody shows a guest the log that `judge_secrecy` reads."""
        return [one for one in JUDGES if not (self.foreign and one is judge_secrecy)]

    def judge(self) -> list[Judgement]:
        """Let every judge look at ledger and database; their verdicts go to the journal, the
        rows before them."""
        evidence = self.evidence()
        for row in evidence.rows():
            self.journal.write("row", **row)
        judgements = [judge(evidence) for judge in self.judges]
        for judgement in judgements:
            self.journal.write(
                "check",
                judge=judgement.judge,
                verdict="passed" if judgement.passed else "failed",
                findings=list(judgement.findings),
                counted=judgement.counted,
            )
        return judgements
