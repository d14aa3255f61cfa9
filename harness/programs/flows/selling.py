"""The buyback: every instruction, paid and refused, for plain and programmable NFTs."""

from __future__ import annotations

from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from harness.programs.assets import (
    NON_FUNGIBLE,
    PROGRAMMABLE,
    collection,
    create,
    mint_v1,
    token_record,
)
from harness.programs.interface import METADATA
from harness.programs.stage import WALLET_LAMPORTS, Stage
from programs.addresses import associated_token_address
from programs.buyback import client as buyback
from programs.token_metadata.client import edition_address, metadata_address

_MINIMUM = 100 * 10**9
_AMOUNT = 53_125_000


def play(stage: Stage) -> None:
    stage.wallet("holder")
    stage.wallet("treasury")
    for kind in ("sized", "unsized"):
        collection(stage, stage.key(kind), stage.payer, sized=kind == "sized")
    _initialise(stage)
    nft, pnft = _item(stage, "nft", NON_FUNGIBLE), _item(stage, "pnft", PROGRAMMABLE)
    _refusals(stage, nft)
    _switches(stage, nft)
    stage.step("sale", _sale(stage, nft))
    stage.step("sale again", _sale(stage, nft))
    stage.step("programmable sale without record", _sale(stage, pnft))
    record = token_record(pnft, associated_token_address(stage.key("holder"), pnft))
    stage.step("programmable sale", _sale(stage, pnft, token_record=record))
    other = _item(stage, "of the unsized", NON_FUNGIBLE, of="unsized")
    stage.step("sale of another collection", _sale(stage, other))
    sale = _sale(stage, other, collection_mint=stage.key("unsized"), version=2)
    stage.step("sale by the second version", sale)
    _hand_over(stage)


def _initialise(stage: Stage) -> None:
    def made(who: Pubkey, kind: str, version: int) -> Instruction:
        return buyback.initialize(
            authority=who,
            treasury=stage.key("treasury"),
            collection_mint=stage.key(kind),
            min_treasury_balance=_MINIMUM,
            version=version,
        )

    stage.step("initialise by a stranger", made(stage.key("holder"), "sized", 1))
    stage.step("initialise", made(stage.payer, "sized", 1))
    stage.step("initialise again", made(stage.payer, "sized", 1))
    stage.step("initialise a second version", made(stage.payer, "unsized", 2))


def _item(stage: Stage, name: str, standard: int, of: str = "sized") -> Pubkey:
    mint, holder, group = stage.key(name), stage.key("holder"), stage.key(of)
    programmable = standard == PROGRAMMABLE
    stage.step(f"{name}: create", create(stage, mint, standard, member_of=group))
    stage.step(f"{name}: mint", mint_v1(stage, mint, holder, programmable=programmable))
    stage.step(f"{name}: sale before it is verified", _sale(stage, mint))
    verify = METADATA(
        "Verify",
        b"\1",
        authority=stage.payer,
        metadata=metadata_address(mint),
        collection_mint=group,
        collection_metadata=metadata_address(group),
        collection_master_edition=edition_address(group),
    )
    stage.step(f"{name}: verify", verify)
    return mint


def _sale(stage: Stage, mint: Pubkey, **changes: Any) -> Instruction:
    arguments: dict[str, Any] = {
        "user": stage.key("holder"),
        "treasury": stage.key("treasury"),
        "mint": mint,
        "collection_mint": stage.key("sized"),
        "amount": _AMOUNT,
    }
    return buyback.execute_buyback(**(arguments | changes))


def _refusals(stage: Stage, nft: Pubkey) -> None:
    for name, amount in (
        ("nothing", 0),
        ("a lamport too much", WALLET_LAMPORTS - _MINIMUM + 1),
        ("more than there is", WALLET_LAMPORTS + 1),
        ("the largest number", 2**64 - 1),
    ):
        stage.step(f"sale for {name}", _sale(stage, nft, amount=amount))
    stage.step("another treasury", _sale(stage, nft, treasury=stage.wallet("other treasury")))
    held = associated_token_address(stage.key("holder"), nft)
    stage.step("not the holder", _sale(stage, nft, user=stage.wallet("thief"), token_account=held))
    stage.step(
        "another collection's label", _sale(stage, nft, collection_mint=stage.key("unsized"))
    )


def _switches(stage: Stage, nft: Pubkey) -> None:
    for who, authority in (("a stranger", stage.key("holder")), ("the authority", stage.payer)):
        minimum = buyback.set_min_treasury_balance(
            authority=authority, min_treasury_balance=WALLET_LAMPORTS
        )
        stage.step(f"pause by {who}", buyback.set_enabled(authority=authority, enabled=False))
        stage.step(f"sale after a pause by {who}, unsigned", _sale(stage, nft, amount=0))
        stage.step(f"resume by {who}", buyback.set_enabled(authority=authority, enabled=True))
        stage.step(f"minimum by {who}", minimum)
    stage.step("sale above the minimum", _sale(stage, nft))
    for lamports in (2**64 - 1, 0):
        changed = buyback.set_min_treasury_balance(
            authority=stage.payer, min_treasury_balance=lamports
        )
        stage.step(f"minimum {lamports}", changed)
        stage.step(f"sale for nothing at minimum {lamports}", _sale(stage, nft, amount=0))
    other = stage.key("other treasury")
    stage.step("other treasury", buyback.set_treasury(authority=stage.payer, treasury=other))
    stage.step("sale from the old treasury", _sale(stage, nft))
    back = buyback.set_treasury(authority=stage.payer, treasury=stage.key("treasury"))
    stage.step("old treasury again", back)


def _hand_over(stage: Stage) -> None:
    heir, payer = stage.wallet("heir"), stage.payer
    stage.step("accept what is not offered", buyback.accept_authority(new_authority=heir))
    offer = buyback.propose_authority(authority=payer, new_authority=heir)
    withdraw = buyback.propose_authority(authority=payer, new_authority=None)
    for name, instruction in (
        ("offer", offer),
        ("withdraw the offer", withdraw),
        ("accept what was withdrawn", buyback.accept_authority(new_authority=heir)),
        ("offer again", offer),
        ("accept", buyback.accept_authority(new_authority=heir)),
        ("the old authority pauses", buyback.set_enabled(authority=payer, enabled=False)),
        ("the heir pauses", buyback.set_enabled(authority=heir, enabled=False)),
    ):
        stage.step(name, instruction)
