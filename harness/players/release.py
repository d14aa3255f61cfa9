"""A release: the second version of the buyback program, beside the first.

A bridge is not replaced while cars are on it: a second one is built beside it, tested, and traffic
is led over bit by bit. The guide's upgrade path in ordinary transactions: deploy, initialise,
migrate the treasury, switch the backend, roll out by percentage, and back if need be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from harness.backend_server import Backend
from harness.errors import HarnessError
from harness.ledger.upload import Uploader
from harness.players.api import BackendApi
from harness.players.player import Player
from harness.submission import Outcome
from programs.buyback import client as buyback

if TYPE_CHECKING:
    from harness.testbed import Testbed


class Release:
    """The second version: its program, configuration, treasury and backend."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.program: Keypair = testbed.seed.keypair("buyback-program-2")
        self.treasury: Keypair = testbed.seed.keypair("treasury-2")
        testbed.book.add("buyback-2", self.program.pubkey())
        testbed.book.add("treasury-2", self.treasury.pubkey())
        testbed.treasuries.append(self.treasury.pubkey())
        testbed.buyback_programs.append(self.program.pubkey())

    def deploy(self) -> None:
        """Upload the program through the loader, as `solana program deploy` does."""
        bed = self.testbed
        elf = redeclared(bed.programs.elves["buyback"], buyback.PROGRAM_ID, self.program.pubkey())
        bed.ledger.fund(bed.authority_key.pubkey(), 20 * 10**9)
        Uploader(bed.client, bed.clock, bed.authority_key).deploy(self.program, elf)

    def initialise(self, min_treasury_lamports: int) -> None:
        """Create the new program's configuration, with the new treasury."""
        bed = self.testbed
        self._send(
            "initialise the second buyback",
            buyback.initialize(
                authority=bed.authority_key.pubkey(),
                treasury=self.treasury.pubkey(),
                collection_mint=bed.deployment.collection_mint,
                min_treasury_balance=min_treasury_lamports,
                program_id=self.program.pubkey(),
            ),
        )

    def migrate_treasury(self, lamports: int, *, back: bool = False) -> None:
        """Move lamports from the old treasury to the new one, or back."""
        old, new = self.testbed.treasury_key, self.treasury
        source, target = (new, old) if back else (old, new)
        moving = transfer(
            TransferParams(
                from_pubkey=source.pubkey(), to_pubkey=target.pubkey(), lamports=lamports
            )
        )
        self._send("migrate the treasury", moving, source)

    @contextmanager
    def backend(self) -> Iterator[BackendApi]:
        """A backend of the new version beside the old one, over the same database."""
        bed = self.testbed
        with bed.another_backend(
            buyback_program_id=str(self.program.pubkey()),
            buyback_config_version=str(buyback.CONFIG_VERSION),
            admin_wallet_private_key=str(list(bytes(self.treasury))),
        ) as server:
            yield self._api(server)

    def _api(self, server: Backend) -> BackendApi:
        bed = self.testbed
        return BackendApi(server.base_url, bed.book, bed.journal, after_call=bed.api.after_call)

    def enabled(self) -> bool:
        """Whether the new version pays."""
        address = buyback.config_address(program_id=self.program.pubkey())
        data = self.testbed.account_data(address)
        return data is not None and buyback.Config.parse(data).buyback_enabled

    def pause(self) -> None:
        """Switch the new version off."""
        self._send(
            "pause the second buyback",
            buyback.set_enabled(
                authority=self.testbed.authority_key.pubkey(),
                enabled=False,
                program_id=self.program.pubkey(),
            ),
        )

    def _send(self, action: str, instruction: Instruction, *keys: Keypair) -> None:
        bed = self.testbed
        sent = bed.submit("operator", action, [instruction], [bed.authority_key, *keys])
        if sent.outcome is not Outcome.LANDED:
            reason = sent.fault.message if sent.fault else "no reason given"
            raise HarnessError(f"the operator's {action} was {sent.outcome}: {reason}")


def redeclared(elf: bytes, old: Pubkey, new: Pubkey) -> bytes:
    """The same program, built as if `declare_id!` held another address.

    The address stands once as data, and eight bytes at a time in instructions that load a 64-bit
    constant (lddw: four bytes, four zero bytes, four bytes). Raises HarnessError if it does not.
    """
    was, now = bytes(old), bytes(new)
    if elf.count(was) != 1:
        raise HarnessError("the program does not declare its address exactly once")
    changed = elf.replace(was, now)
    for at in range(0, len(was), 8):
        before, after = (one[at : at + 4] + bytes(4) + one[at + 4 : at + 8] for one in (was, now))
        if before not in changed:
            raise HarnessError("the program does not load its address as constants")
        changed = changed.replace(before, after)
    return changed


def roll_out(players: list[Player], percent: int, new: BackendApi, old: BackendApi) -> int:
    """Lead this share of the players to the new version, the rest to the old one; how many went.

    A player stays where its wallet's hash puts it: raising the percentage only moves more over.
    """
    moved = 0
    for player in players:
        goes = _bucket(player.pubkey) < percent
        player.api = new if goes else old
        moved += goes
    return moved


def _bucket(wallet: Pubkey) -> int:
    return int.from_bytes(hashlib.sha256(bytes(wallet)).digest()[:4], "big") % 100
