"""The mystery box itself: hidden settings, guarded mints, reveal, burn, by the clients we ship."""

from __future__ import annotations

from datetime import UTC, datetime

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from harness.programs.assets import burn_v1
from harness.programs.borsh import creators, option, text, u16
from harness.programs.interface import METADATA
from harness.programs.stage import Stage
from programs.addresses import associated_token_address
from programs.candy_guard import client as candy_guard
from programs.candy_machine import client as candy_machine
from programs.token_metadata import client as token_metadata

_ITEMS = 4
_PRICE, _TAX = 200_000_000, 20_000_000


def play_sized(stage: Stage) -> None:
    _play(stage, sized=True)


def play_unsized(stage: Stage) -> None:
    _play(stage, sized=False)


def _play(stage: Stage, *, sized: bool) -> None:
    machine = _deploy(stage, sized=sized)
    boxes = [stage.key(f"box {number}") for number in range(_ITEMS + 1)]
    for number, box in enumerate(boxes[:_ITEMS]):
        stage.step(f"mint {number}", _mint(stage, machine, box))
    stage.step("sold out", _mint(stage, machine, boxes[_ITEMS]))
    _reveal(stage, machine, boxes[0])
    collection = token_metadata.metadata_address(machine.collection_mint)
    accounts = {
        "metadata": token_metadata.metadata_address(boxes[0]),
        "owner": stage.payer,
        "mint": boxes[0],
        "token_account": associated_token_address(stage.payer, boxes[0]),
        "master_edition_account": token_metadata.edition_address(boxes[0]),
    }
    stage.step("burn without the collection", METADATA("BurnNft", **accounts))
    stage.step("burn", METADATA("BurnNft", collection_metadata=collection, **accounts))
    stage.step("burn V1 without the collection", burn_v1(boxes[1], stage.payer))
    stage.step("burn V1 by a stranger", burn_v1(boxes[1], stage.payer, authority=stage.key("x")))
    burn = burn_v1(boxes[1], stage.payer, collection_mint=machine.collection_mint)
    stage.step("burn V1", burn)
    stage.step("burn V1 again", burn)


def _deploy(stage: Stage, *, sized: bool) -> candy_guard.MintAccounts:
    owner, till = stage.wallet("owner"), stage.wallet("till")
    collection, machine, base = (stage.key(name) for name in ("coll", "machine", "base"))
    stage.step(
        "collection",
        token_metadata.create_nft(
            authority=owner,
            owner=owner,
            mint=collection,
            name="Mystery",
            symbol="SKIN",
            uri="https://x/c.json",
            seller_fee_basis_points=500,
            rent_lamports=stage.rent(token_metadata.MINT_BYTES),
            sized_collection=sized,
        ),
    )
    settings = candy_machine.MachineSettings(
        items_available=_ITEMS,
        symbol="SKIN",
        seller_fee_basis_points=500,
        is_mutable=True,
        creators=(candy_machine.Creator(owner, 100),),
        hidden=candy_machine.HiddenSettings("Skin #$ID+1$", "https://x/hidden", bytes(range(32))),
    )
    stage.step(
        "machine",
        candy_machine.initialize(
            machine=machine,
            authority=owner,
            collection_mint=collection,
            settings=settings,
            rent_lamports=stage.rent(candy_machine.ACCOUNT_BYTES),
        ),
    )
    guards = candy_guard.Guards(
        bot_tax=candy_guard.BotTax(_TAX, True),
        sol_payment=candy_guard.SolPayment(_PRICE, till),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
    )
    guard = candy_guard.guard_address(base)
    stage.step(
        "guard",
        candy_guard.initialize(base=base, authority=owner, payer=owner, guards=guards),
        candy_guard.wrap(guard=guard, authority=owner, machine=machine),
    )
    return candy_guard.MintAccounts(machine, guard, collection, owner, guards)


def _mint(stage: Stage, machine: candy_guard.MintAccounts, mint: Pubkey) -> Instruction:
    return candy_guard.mint(machine=machine, payer=stage.payer, mint=mint)


def _reveal(stage: Stage, machine: candy_guard.MintAccounts, mint: Pubkey) -> None:
    owner = machine.collection_update_authority
    shares = creators(
        (candy_machine.authority_address(machine.machine), True, 0), (owner, False, 100)
    )
    data = text("Revealed") + text("SKIN") + text("https://x/1") + u16(500) + option(shares)
    update = b"\0" + option(None) + option(data) + bytes(2) + bytes(4) + option(None)
    for name, authority in (("reveal by a stranger", stage.payer), ("reveal", owner)):
        stage.step(
            name,
            METADATA(
                "Update",
                update,
                authority=authority,
                mint=mint,
                metadata=token_metadata.metadata_address(mint),
                payer=stage.payer,
            ),
        )
