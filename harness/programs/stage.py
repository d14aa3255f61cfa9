"""The stage on which flows are played: a virtual machine with one set of programs, and a notebook.

After every step the notebook has its result, return data and logs and the state of every account
that the transaction named. Keys, clock and slot hashes are the same on every stage, so that two
notebooks can be laid side by side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from harness.errors import UsageError
from harness.ledger.embedded.float_stack import hand_back_float_stack
from harness.ledger.embedded.machine import add_program, add_wallet, new_machine
from harness.ledger.protocol import ProgramImage
from harness.programs.sets import PROGRAMS, ProgramSet
from harness.seeds import Seed
from programs.addresses import program_data_address

COMPUTE_UNITS_MAX = 1_400_000
WALLET_LAMPORTS = 1_000 * 10**9
START_UNIX_SECONDS = 1_767_312_000  # 2026-01-02, as every embedded ledger begins
_SLOT = 500
_SLOT_HASHES = 16


@dataclass(frozen=True)
class AccountState:
    """What an account is after a step. A closed or absent one is None instead."""

    owner: Pubkey
    lamports: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Step:
    """What became of one transaction. `error` is the runtime's, as JSON; None for success."""

    name: str
    error: object
    return_data: bytes
    compute_units: int
    logs: tuple[str, ...] = field(repr=False)
    accounts: dict[Pubkey, AccountState | None] = field(repr=False)

    @property
    def succeeded(self) -> bool:
        return self.error is None


class Stage:
    """One machine with one set of programs. `payer` pays for every transaction."""

    def __init__(self, programs: ProgramSet) -> None:
        self.steps: list[Step] = []
        self._seed = Seed("conformance")
        self._machine = new_machine()
        self.payer = self.wallet("payer")
        self._programs = set()
        for program in PROGRAMS:
            image = ProgramImage(program.address, programs.elves[program.name], self.payer)
            try:
                add_program(self._machine, image, slot=0)
            except Exception as error:
                raise UsageError(
                    f"{programs.origins[program.name]}: {program.file}.so is not accepted by the "
                    f"virtual machine ({error})"
                ) from None
            self._programs |= {program.address, program_data_address(program.address)}
        self._set_time(START_UNIX_SECONDS)

    def key(self, name: str) -> Pubkey:
        """An address by name; the same on every stage."""
        return self._seed.keypair(name).pubkey()

    def wallet(self, name: str) -> Pubkey:
        """An address by name, with lamports."""
        address = self.key(name)
        add_wallet(self._machine, address, WALLET_LAMPORTS)
        return address

    def rent(self, size: int) -> int:
        """Lamports that exempt an account of that many bytes from rent."""
        return self._machine.minimum_balance_for_rent_exemption(size)

    def advance(self, seconds: int) -> None:
        """Let time pass on the clock that programs read."""
        self._set_time(self._machine.get_clock().unix_timestamp + seconds)

    def _set_time(self, unix_seconds: int) -> None:
        clock = self._machine.get_clock()
        clock.slot, clock.unix_timestamp = _SLOT, unix_seconds
        self._machine.set_clock(clock)
        self._machine.set_slot_hashes(
            [
                (slot, Hash(hashlib.sha256(f"conformance: slot {slot}".encode()).digest()))
                for slot in range(_SLOT - 1, _SLOT - 1 - _SLOT_HASHES, -1)
            ]
        )

    def step(self, name: str, *instructions: Instruction | Sequence[Instruction]) -> None:
        """Run one transaction and write down what became of it."""
        listed = [set_compute_unit_limit(COMPUTE_UNITS_MAX)]
        for one in instructions:
            listed += [one] if isinstance(one, Instruction) else one
        message = Message(listed, self.payer)
        # The machine checks no signatures; who signs is told by the message.
        unsigned = [Signature.default()] * message.header.num_required_signatures
        result = self._machine.send_transaction(VersionedTransaction.populate(message, unsigned))
        hand_back_float_stack()
        failed = isinstance(result, FailedTransactionMetadata)
        meta: Any = result.meta() if isinstance(result, FailedTransactionMetadata) else result
        self.steps.append(
            Step(
                name=name,
                error=json.loads(result.to_json())["err"] if failed else None,
                return_data=bytes(meta.return_data().data),
                compute_units=meta.compute_units_consumed(),
                logs=tuple(meta.logs()),
                accounts={
                    address: self._state(address)
                    for address in message.account_keys
                    if address not in self._programs
                },
            )
        )

    def _state(self, address: Pubkey) -> AccountState | None:
        account = self._machine.get_account(address)
        if account is None or account.lamports == 0:
            return None
        return AccountState(account.owner, account.lamports, bytes(account.data))
