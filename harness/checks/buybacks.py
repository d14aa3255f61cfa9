"""Burnt if and only if paid if and only if recorded, exactly once, at the right price.

Three lists that must be one: NFTs that are gone from the ledger, payments that left the treasury,
rows in the backend's books. A name on one list and not on the others is money or property lost.
"""

from __future__ import annotations

from collections import Counter
from decimal import ROUND_FLOOR, Decimal, localcontext

from solders.pubkey import Pubkey

from harness.candy_config import LAMPORTS_PER_SOL
from harness.checks.evidence import Evidence
from harness.checks.judgement import Judgement
from programs.buyback import client as buyback
from programs.token_metadata import client as token_metadata

NAME = "burnt, paid and recorded"
_BURNS = ("Burn NFT", "Burn")  # Token Metadata's instructions, as its log names them
_SUPPLY = slice(36, 44)  # of an SPL token mint


def payout_lamports(price_usd: Decimal, rate: Decimal, sol_usd: Decimal) -> int:
    """The guide's rule in exact arithmetic: floor(skin USD / SOL USD x rate x 10^9)."""
    with localcontext(prec=60):
        exact = price_usd * rate * LAMPORTS_PER_SOL / sol_usd
        return int(exact.to_integral_value(rounding=ROUND_FLOOR))


def judge_buybacks(evidence: Evidence) -> Judgement:
    findings: list[str] = []
    paid = _payments(evidence, findings)
    thrown_away = _thrown_away(evidence)
    burnt = _burnt(evidence) - thrown_away
    recorded = Counter(Pubkey.from_string(row.mint) for row in evidence.buyback_records)
    marked = {
        Pubkey.from_string(row.mint): row for row in evidence.user_skins if row.is_burned_back
    }
    for mint in sorted(burnt | set(paid) | set(recorded) | set(marked), key=evidence.name):
        facts = {"burnt": int(mint in burnt), "paid": len(paid.get(mint, ()))}
        if evidence.has_books:
            facts["recorded"] = recorded[mint]
            facts["marked as burned back"] = int(mint in marked)
        if set(facts.values()) != {1}:
            told = ", ".join(f"{what} {times}x" for what, times in facts.items())
            findings.append(f"{evidence.name(mint)}: {told}; all must be 1")
    _compare_records(evidence, paid, findings)
    return Judgement(
        NAME,
        tuple(findings),
        {
            "burnt": len(burnt),
            "burnt by their holders": len(thrown_away),
            "paid": sum(map(len, paid.values())),
            "recorded": sum(recorded.values()),
            "paid_lamports": sum(amount for all_ in paid.values() for _, amount in all_),
        },
    )


def _payments(evidence: Evidence, findings: list[str]) -> dict[Pubkey, list[tuple[str, int]]]:
    """Signature and lamports of every payment, by NFT, from the ledger's transactions."""
    paid: dict[Pubkey, list[tuple[str, int]]] = {}
    for receipt in evidence.receipts:
        if receipt.fault is not None:
            continue
        events = (
            event
            for program in evidence.machine.buyback_programs
            for event in buyback.executed(receipt.logs, program)
        )
        for event in events:
            paid.setdefault(event.mint, []).append((str(receipt.signature), event.amount))
            left = -receipt.deltas.get(event.treasury, 0)
            if event.treasury == receipt.signers[0]:
                left -= receipt.fee_lamports
            if not evidence.machine.pays(event.treasury) or left != event.amount:
                findings.append(
                    f"{evidence.name(event.mint)}: the program says it paid {event.amount} "
                    f"lamports, {evidence.name(event.treasury)} lost {left}"
                )
    return paid


def _burnt(evidence: Evidence) -> set[Pubkey]:
    """NFTs that were minted and of which none is left."""
    nfts = list(evidence.book.named("nft-").values())
    accounts = evidence.account_data(nfts)
    return {
        mint
        for mint, data in accounts.items()
        if data is not None and int.from_bytes(data[_SUPPLY], "little") == 0
    }


def _thrown_away(evidence: Evidence) -> set[Pubkey]:
    """NFTs that their holders burnt for nothing, by transactions of their own without the buyback
    program: gone, and nothing is owed for them."""
    nfts = set(evidence.book.named("nft-").values())
    found: set[Pubkey] = set()
    for receipt in evidence.receipts:
        burning = any(receipt.ran(token_metadata.PROGRAM_ID, name) for name in _BURNS)
        paying = any(evidence.machine.pays(signer) for signer in receipt.signers)
        if receipt.fault is None and burning and not paying:
            found |= nfts & set(receipt.accounts)
    return found


def _compare_records(
    evidence: Evidence, paid: dict[Pubkey, list[tuple[str, int]]], findings: list[str]
) -> None:
    """Signature, amount and rule of each row against the payment on the ledger."""
    skins = {row.mint: row for row in evidence.user_skins}
    for row in evidence.buyback_records:
        name = evidence.name(row.mint)
        payment = dict(paid.get(Pubkey.from_string(row.mint), ()))
        if row.signature not in payment:
            findings.append(f"{name}: the recorded signature is not that of its payment")
        elif payment[row.signature] != row.paid_lamports:
            findings.append(
                f"{name}: recorded {row.paid_lamports} lamports, paid {payment[row.signature]}"
            )
        if row.mint not in skins:
            findings.append(f"{name}: paid for, but not in user_skins")
            continue
        skin = skins[row.mint]
        price_usd = skin.price_usd
        right = [
            payout_lamports(
                terms.skins_usd.get(skin.skin_name, price_usd), terms.rate, terms.sol_usd
            )
            for terms in evidence.in_force(row.paid_at)
        ]
        if row.paid_lamports not in right:
            told = " or ".join(str(amount) for amount in dict.fromkeys(right))
            findings.append(
                f"{name}: paid {row.paid_lamports} lamports, {price_usd} USD at the prices in "
                f"force when it was quoted is {told}"
            )
