"""Every box paid for, every bot taxed: what came out of each guarded mint.

A mint that made an NFT moved exactly the mint price to its guard's destination. A mint that landed
without an NFT took exactly the bot tax and nothing else.
"""

from __future__ import annotations

from collections import Counter

from solders.pubkey import Pubkey

from harness.checks.evidence import Evidence, Seller
from harness.checks.judgement import Judgement
from harness.receipt import Receipt
from programs.candy_guard import client as candy_guard
from programs.candy_machine import client as candy_machine

NAME = "mints paid or taxed"
_MINT = "MintV2"


def judge_mints(evidence: Evidence) -> Judgement:
    findings = []
    taxed = 0
    minted: Counter[Pubkey] = Counter()
    for receipt in evidence.receipts:
        if receipt.fault is not None or not receipt.ran(candy_guard.PROGRAM_ID, _MINT):
            continue
        machine = _seller(receipt, evidence)
        nft = _nft_of(receipt, evidence)
        who = evidence.name(receipt.signers[0])
        if nft is not None:
            minted[machine.candy_machine] += 1
            paid = receipt.deltas.get(machine.destination, 0)
            if paid != machine.mint_price_lamports:
                findings.append(
                    f"{who} minted {nft} and {evidence.name(machine.destination)} got {paid} "
                    f"lamports, the price is {machine.mint_price_lamports}"
                )
        else:
            taxed += 1
            lost = -receipt.deltas.get(receipt.signers[0], 0) - receipt.fee_lamports
            gained = receipt.deltas.get(machine.candy_machine, 0)
            if gained != machine.bot_tax_lamports or lost < gained:
                findings.append(
                    f"{who} got no NFT and the machine {gained} lamports, the bot tax is "
                    f"{machine.bot_tax_lamports}"
                )
    for machine in evidence.machine.sellers:
        address = machine.candy_machine
        redeemed = _items_redeemed(evidence, address) - machine.items_redeemed_before
        if redeemed != minted[address]:
            which = "the machine" if not evidence.machine.others else evidence.name(address)
            findings.append(
                f"{which} says {redeemed} items were redeemed, the ledger shows {minted[address]} "
                "mints"
            )
    return Judgement(NAME, tuple(findings), {"minted": minted.total(), "taxed": taxed})


def _seller(receipt: Receipt, evidence: Evidence) -> Seller:
    """The machine that a mint went to; the first one's prices where it is none of ours."""
    first, *others = evidence.machine.sellers
    return next((one for one in others if one.candy_machine in receipt.accounts), first)


def _nft_of(receipt: Receipt, evidence: Evidence) -> str | None:
    """The name of the NFT that this mint brought into being, if it did: its mint account, which
    signs along, came to hold rent."""
    for signer in receipt.signers[1:]:
        if receipt.deltas.get(signer, 0) > 0 and evidence.book.known(signer):
            return evidence.name(signer)
    return None


def _items_redeemed(evidence: Evidence, address: Pubkey) -> int:
    data = evidence.account_data([address])[address]
    return 0 if data is None else candy_machine.CandyMachine.parse(data).items_redeemed
