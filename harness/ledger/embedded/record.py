"""What the ledger remembers of one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction


@dataclass(frozen=True, slots=True)
class TokenBalance:
    """How much of a mint a token account held. `index` is its place among the accounts."""

    index: int
    mint: Pubkey
    owner: Pubkey
    amount: int
    decimals: int
    program: Pubkey


@dataclass(frozen=True, slots=True)
class InnerInstruction:
    """An instruction that a program called. Programs and accounts by index."""

    program_index: int
    accounts: bytes
    data: bytes
    stack_height: int


@dataclass(frozen=True, slots=True)
class Execution:
    """What running a transaction showed. `inner` goes by the calling instruction's index."""

    logs: tuple[str, ...] = ()
    inner: tuple[tuple[int, tuple[InnerInstruction, ...]], ...] = ()
    compute_units: int = 0
    return_program: Pubkey | None = None
    return_data: bytes = b""

    @classmethod
    def from_meta(cls, meta: Any) -> Execution:
        """From LiteSVM's TransactionMetadata (whose type stubs lack its methods)."""
        returned = meta.return_data()
        data = bytes(returned.data)
        inner = tuple(
            (
                index,
                tuple(
                    InnerInstruction(
                        one.instruction().program_id_index,
                        bytes(one.instruction().accounts),
                        bytes(one.instruction().data),
                        one.stack_height(),
                    )
                    for one in called
                ),
            )
            for index, called in enumerate(meta.inner_instructions())
            if called
        )
        return cls(
            logs=tuple(meta.logs()),
            inner=inner,
            compute_units=meta.compute_units_consumed(),
            return_program=returned.program_id if data else None,
            return_data=data,
        )


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A transaction that is on the ledger. `error` is its error as JSON, None if it succeeded."""

    signature: Signature
    transaction: VersionedTransaction
    slot: int
    block_time: int
    error: Any
    fee_lamports: int
    accounts: tuple[Pubkey, ...]
    loaded_writable: tuple[Pubkey, ...]
    loaded_readonly: tuple[Pubkey, ...]
    before_lamports: tuple[int, ...]
    after_lamports: tuple[int, ...]
    before_tokens: tuple[TokenBalance, ...]
    after_tokens: tuple[TokenBalance, ...]
    execution: Execution


@dataclass(frozen=True, slots=True)
class Refused:
    """A transaction that never got onto the ledger. `execution` is there if it was run at all."""

    error: Any
    execution: Execution | None = None
