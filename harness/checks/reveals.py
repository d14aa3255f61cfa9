"""Revealed once, and as the books say.

Every row of `user_skins` is an NFT whose metadata on the ledger carries that skin's name and was
rewritten exactly once; every other NFT still shows the placeholder.
"""

from __future__ import annotations

from collections import Counter

from solders.pubkey import Pubkey

from harness.checks.evidence import Evidence
from harness.checks.judgement import Judgement
from programs.token_metadata import client as token_metadata

NAME = "revealed once, as recorded"
_UPDATES = ("Update", "Update Metadata Accounts v2", "UpdateMetadataAccountV2")


def judge_reveals(evidence: Evidence) -> Judgement:
    findings = []
    rewrites = _rewrites(evidence)
    rows = Counter(row.mint for row in evidence.user_skins)
    metadata = evidence.account_data(
        [
            token_metadata.metadata_address(Pubkey.from_string(row.mint))
            for row in evidence.user_skins
        ]
    )
    for row in evidence.user_skins:
        mint = Pubkey.from_string(row.mint)
        who = evidence.name(mint)
        if rows[row.mint] > 1:
            findings.append(f"{who} has {rows[row.mint]} rows in user_skins")
        if rewrites[mint] != 1:
            findings.append(f"{who} is recorded as revealed, its metadata was rewritten "
                            f"{rewrites[mint]} times")  # fmt: skip
        data = metadata[token_metadata.metadata_address(mint)]
        if data is None or len(data) <= 1:
            # Burnt since; the judge of buybacks says whether rightly. Anybody can send lamports to
            # where the metadata were.
            continue
        shown = token_metadata.Metadata.parse(data).name
        if shown != row.skin_name:
            findings.append(f"{who} shows {shown!r}, the books say {row.skin_name!r}")
    if not evidence.has_books:
        findings += [
            f"the metadata of {evidence.name(mint)} was rewritten {times} times"
            for mint, times in rewrites.items()
            if times > 1
        ]
        return Judgement(NAME, tuple(findings), {"rewritten": sum(rewrites.values())})
    for mint in set(rewrites) - {Pubkey.from_string(row.mint) for row in evidence.user_skins}:
        findings.append(f"{evidence.name(mint)} was rewritten on the ledger, but no row says so")
    return Judgement(
        NAME, tuple(findings), {"recorded": len(rows), "rewritten": sum(rewrites.values())}
    )


def _rewrites(evidence: Evidence) -> Counter[Pubkey]:
    """How often each NFT's metadata was rewritten, from the ledger's transactions."""
    by_metadata = {
        token_metadata.metadata_address(mint): mint for mint in evidence.book.named("nft-").values()
    }
    counted: Counter[Pubkey] = Counter()
    for receipt in evidence.receipts:
        if receipt.fault is not None:
            continue
        if any(receipt.ran(token_metadata.PROGRAM_ID, name) for name in _UPDATES):
            counted.update(by_metadata[a] for a in receipt.accounts if a in by_metadata)
    return counted
