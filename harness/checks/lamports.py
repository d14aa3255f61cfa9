"""Conservation: no lamport appears, disappears or moves outside a transaction.

A bookkeeper's two questions, asked of the ledger alone. Does each transaction balance (what its
accounts lost is exactly the fee)? And does each account's next balance start where its last one
ended, up to the balance it has now?
"""

from __future__ import annotations

from solders.pubkey import Pubkey

from harness.checks.evidence import Evidence
from harness.checks.judgement import Judgement

NAME = "lamports conserved"


def judge_lamports(evidence: Evidence) -> Judgement:
    findings = []
    balances: dict[Pubkey, int] = {}
    fees = 0
    for number, receipt in enumerate(evidence.receipts, start=1):
        lost = sum(receipt.before_lamports) - sum(receipt.after_lamports)
        if lost != receipt.fee_lamports:
            findings.append(
                f"transaction {number} (slot {receipt.slot}): its accounts lost {lost} lamports, "
                f"the fee is {receipt.fee_lamports}"
            )
        fees += receipt.fee_lamports
        rows = zip(receipt.accounts, receipt.before_lamports, receipt.after_lamports, strict=True)
        for account, before, after in rows:
            if balances.get(account, before) != before:
                findings.append(
                    f"{evidence.name(account)} had {balances[account]} lamports and then {before} "
                    f"at slot {receipt.slot}, with no transaction between"
                )
            balances[account] = after
    now = evidence.lamports(list(balances))
    for account, balance in balances.items():
        if now[account] != balance:
            findings.append(
                f"{evidence.name(account)} has {now[account]} lamports, its last transaction "
                f"left {balance}"
            )
    return Judgement(
        NAME,
        tuple(findings),
        {
            "transactions": len(evidence.receipts),
            "accounts": len(balances),
            "fee_lamports": fees,
        },
    )
