"""Bringing a program onto a running ledger, and replacing it there, by an authority's transactions.

What `solana program deploy` does: the code goes into a buffer in some hundred writes that may land
in any order and are sent again if they are dropped, then one transaction puts it in place.
"""

from __future__ import annotations

from collections.abc import Sequence

from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solana.rpc.core import RPCException
from solana.rpc.types import TxOpts
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from harness.clock import Clock
from harness.errors import StartError
from harness.submission import SEEN_BY_ALL, Outcome, sign, submit
from programs.loader import client as loader

_ROUNDS_MAX = 60
_ROUND_SECONDS = 0.8
_IDLE_ROUNDS_MAX = 4  # some eight slots in which nothing was confirmed: the rest was dropped
_STATUSES_MAX = 256  # the most that getSignatureStatuses takes


class Uploader:
    """Deploys and upgrades programs; `authority` pays for all and may upgrade afterwards."""

    def __init__(self, client: Client, clock: Clock, authority: Keypair) -> None:
        self._client = client
        self._clock = clock
        self._authority = authority

    def deploy(self, program: Keypair, elf: bytes, *, code_bytes_max: int | None = None) -> None:
        """Deploy a program under the address of `program`. Raises StartError if it fails."""
        owner = self._authority.pubkey()
        buffer = self._fill(elf)
        instructions = loader.deploy(
            payer=owner,
            program=program.pubkey(),
            buffer=buffer,
            authority=owner,
            code_bytes_max=code_bytes_max or len(elf),
            rent_lamports=self._rent(loader.PROGRAM_BYTES),
        )
        self._send("deploy the program", instructions, program)
        self._one_slot_later()

    def upgrade(self, program: Pubkey, elf: bytes) -> None:
        """Replace a program's code. Raises StartError if it fails."""
        owner = self._authority.pubkey()
        buffer = self._fill(elf)
        swap = loader.upgrade(program=program, buffer=buffer, authority=owner, spill=owner)
        self._send("upgrade the program", [swap])
        self._one_slot_later()

    def _fill(self, elf: bytes) -> Pubkey:
        """A new buffer that holds the code."""
        owner, buffer = self._authority.pubkey(), Keypair()
        made = loader.create_buffer(
            payer=owner,
            buffer=buffer.pubkey(),
            authority=owner,
            code_bytes=len(elf),
            rent_lamports=self._rent(loader.BUFFER_HEADER_BYTES + len(elf)),
        )
        self._send("create the buffer", made, buffer)
        waiting = {
            offset: loader.write(
                buffer=buffer.pubkey(),
                authority=owner,
                offset=offset,
                code=elf[offset : offset + loader.CHUNK_BYTES_MAX],
            )
            for offset in range(0, len(elf), loader.CHUNK_BYTES_MAX)
        }
        for _ in range(_ROUNDS_MAX):
            self._write(waiting)
            if not waiting:
                return buffer.pubkey()
        raise StartError(f"{len(waiting)} pieces of the program did not land")

    def _write(self, waiting: dict[int, Instruction]) -> None:
        """Send every write that is still waiting, and strike out those that landed.

        A write that was dropped is signed anew in the next round: writing twice does no harm.
        """
        sent: dict[Signature, int] = {}
        blockhash = self._client.get_latest_blockhash(Confirmed).value.blockhash
        options = TxOpts(skip_preflight=True, preflight_commitment=Confirmed)
        for offset, instruction in waiting.items():
            message = Message.new_with_blockhash([instruction], self._authority.pubkey(), blockhash)
            transaction = VersionedTransaction(message, [self._authority])
            try:
                self._client.send_raw_transaction(bytes(transaction), opts=options)
            except (RPCException, SolanaRpcException):
                continue  # asked again in the next round
            sent[transaction.signatures[0]] = offset
        idle = 0
        for _ in range(_ROUNDS_MAX):
            landed = self._landed(list(sent))
            for signature in landed:
                waiting.pop(sent.pop(signature), None)
            idle = 0 if landed else idle + 1
            if not sent or idle == _IDLE_ROUNDS_MAX:
                return

    def _landed(self, signatures: Sequence[Signature]) -> list[Signature]:
        """Those that are confirmed and succeeded; waits a round first.

        Only processed, the last pieces are not yet in the state that the deployment is tried on.
        """
        self._clock.sleep(_ROUND_SECONDS)
        found = []
        for start in range(0, len(signatures), _STATUSES_MAX):
            part = list(signatures[start : start + _STATUSES_MAX])
            statuses = self._client.get_signature_statuses(part).value
            found += [
                signature
                for signature, status in zip(part, statuses, strict=True)
                if status is not None
                and status.err is None
                and status.confirmation_status in SEEN_BY_ALL
            ]
        return found

    def _send(self, action: str, instructions: Sequence[Instruction], *keys: Keypair) -> None:
        transaction, last_height = sign(
            self._client, instructions, [self._authority, *keys], compute_units_limit=None
        )
        sent = submit(self._client, self._clock, transaction, last_height)
        if sent.outcome is not Outcome.LANDED:
            reason = sent.fault.message if sent.fault else "no reason given"
            raise StartError(f"{action}: {sent.outcome}: {reason}", list(sent.logs[-8:]))

    def _one_slot_later(self) -> None:
        """New code can be called from the slot after the one that it was put in place in."""
        slot = self._client.get_slot(Confirmed).value
        for _ in range(_ROUNDS_MAX):
            if self._client.get_slot(Confirmed).value > slot:
                return
            self._clock.sleep(_ROUND_SECONDS)
        raise StartError("the ledger produces no slots any more")

    def _rent(self, size: int) -> int:
        return self._client.get_minimum_balance_for_rent_exemption(size).value
