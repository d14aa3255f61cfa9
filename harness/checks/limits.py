"""Within limits: how large each transaction was and how much it computed.

A lorry under a bridge: it is not enough that it went through, it has to fit. Every transaction
fits into one packet, and none used more compute units than it asked for or the runtime allows.
"""

from __future__ import annotations

from harness.checks.evidence import Evidence
from harness.checks.judgement import Judgement
from harness.ledger.fees import UNITS_MAX
from harness.receipt import PACKET_BYTES_MAX

NAME = "within the limits"


def judge_limits(evidence: Evidence) -> Judgement:
    findings = []
    for receipt in evidence.receipts:
        who = evidence.name(receipt.signers[0])
        limit = min(receipt.compute_units_limit, UNITS_MAX)
        if receipt.compute_units > limit:
            findings.append(
                f"a transaction of {who} at slot {receipt.slot} used {receipt.compute_units} "
                f"compute units of {limit}"
            )
        if receipt.size_bytes > PACKET_BYTES_MAX:
            findings.append(
                f"a transaction of {who} at slot {receipt.slot} has {receipt.size_bytes} bytes, "
                f"{PACKET_BYTES_MAX} fit into a packet"
            )
    return Judgement(
        NAME,
        tuple(findings),
        {
            "compute_units_max": max((one.compute_units for one in evidence.receipts), default=0),
            "size_bytes_max": max((one.size_bytes for one in evidence.receipts), default=0),
        },
    )
