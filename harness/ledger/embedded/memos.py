"""A transaction's memo as `getSignaturesForAddress` shows it: `[length] text`."""

from __future__ import annotations

from solders.pubkey import Pubkey

from harness.ledger.embedded.record import TransactionRecord

MEMO_PROGRAMS = frozenset(
    {
        Pubkey.from_string("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"),
        Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
    }
)


def memo_of(record: TransactionRecord) -> str | None:
    """All memos of a transaction's own instructions; None if there is none."""
    keys = record.accounts
    memos = [
        one.data
        for one in record.transaction.message.instructions
        if keys[one.program_id_index] in MEMO_PROGRAMS
    ]
    if not memos:
        return None
    return "; ".join(f"[{len(memo)}] {memo.decode(errors='replace')}" for memo in memos)
