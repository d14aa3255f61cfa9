"""Taking somebody's transaction apart and putting it together again, a little differently.

Signatures cover every byte of a message. What a cheat changes voids them; what a cheat can keep is
only the look of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.signature import Signature
from solders.transaction import VersionedTransaction

Change = Callable[[Instruction], Instruction]


def instructions_of(transaction: VersionedTransaction) -> list[Instruction]:
    """The instructions with their accounts spelled out. For messages without lookup tables."""
    message = transaction.message
    keys = list(message.account_keys)
    header = message.header
    signers = header.num_required_signatures

    def meta(index: int) -> AccountMeta:
        if index < signers:
            writable = index < signers - header.num_readonly_signed_accounts
        else:
            writable = index < len(keys) - header.num_readonly_unsigned_accounts
        return AccountMeta(keys[index], index < signers, writable)

    return [
        Instruction(keys[one.program_id_index], one.data, [meta(index) for index in one.accounts])
        for one in message.instructions
    ]


def rebuilt(
    transaction: VersionedTransaction,
    instructions: Sequence[Instruction],
    blockhash: Hash | None = None,
) -> VersionedTransaction:
    """The transaction with other instructions. Signatures are carried over where their signer
    still signs: over other bytes than they were given for."""
    old = transaction.message
    message = Message.new_with_blockhash(
        list(instructions), old.account_keys[0], blockhash or old.recent_blockhash
    )
    given = dict(zip(old.account_keys, transaction.signatures, strict=False))
    signers = message.account_keys[: message.header.num_required_signatures]
    return VersionedTransaction.populate(
        message, [given.get(signer, Signature.default()) for signer in signers]
    )


def with_instructions(
    transaction: VersionedTransaction,
    *,
    before: Sequence[Instruction] = (),
    after: Sequence[Instruction] = (),
    change: Change = lambda instruction: instruction,
) -> VersionedTransaction:
    """The transaction with instructions put around its own, and its own changed."""
    own = [change(instruction) for instruction in instructions_of(transaction)]
    return rebuilt(transaction, [*before, *own, *after])
