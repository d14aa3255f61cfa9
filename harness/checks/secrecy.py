"""Nothing told: no key, signature, mint or wallet in what the backend logged.

The guide's security list, taken literally: every address of the run, every signature on the ledger
and every secret the backend was given is looked for in all that it wrote.
"""

from __future__ import annotations

from harness.checks.evidence import Evidence
from harness.checks.judgement import Judgement

NAME = "nothing told in logs"


def judge_secrecy(evidence: Evidence) -> Judgement:
    findings = []
    text = evidence.log_text
    wallets = {
        name: str(address)
        for prefix in ("player-", "nft-", "authority", "treasury")
        for name, address in evidence.book.named(prefix).items()
    }
    for name, address in wallets.items():
        if address in text:
            findings.append(f"the address of {name} stands in the backend's log")
    told = sum(str(receipt.signature) in text for receipt in evidence.receipts)
    if told:
        findings.append(f"{told} transaction signatures stand in the backend's log")
    leaked = sum(secret in text for secret in evidence.secrets)
    if leaked:
        findings.append(f"{leaked} of the backend's secrets stand in its log")
    return Judgement(
        NAME,
        tuple(findings),
        {
            "log_lines": len(text.splitlines()),
            "searched_for": len(wallets) + len(evidence.receipts) + len(evidence.secrets),
        },
    )
