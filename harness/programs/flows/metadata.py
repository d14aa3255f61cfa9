"""Token Metadata's ordinary life: create, mint, transfer, update, use, burn; plain and fungible."""

from __future__ import annotations

from harness.programs.assets import (
    FUNGIBLE,
    burn_v1,
    create,
    label,
    mint_v1,
    token,
    transfer_v1,
)
from harness.programs.borsh import creators, flag, option, text, u16, u64
from harness.programs.interface import METADATA
from harness.programs.stage import Stage
from programs.addresses import associated_token_address
from programs.token_metadata.client import edition_address, metadata_address

_USES, _DECIMALS, _COINS = 3, 6, 10**9


def play(stage: Stage) -> None:
    _plain(stage)
    _uses(stage)
    _fungible(stage)
    _updates(stage)
    _signatures(stage)
    nft, other = stage.key("nft"), stage.key("other")
    stage.step("burn by a stranger", burn_v1(nft, other, authority=stage.payer))
    stage.step("burn", burn_v1(nft, other))
    stage.step("burn what is gone", burn_v1(nft, other))


def _plain(stage: Stage) -> None:
    nft, owner, other = stage.key("nft"), stage.wallet("owner"), stage.wallet("other")
    stage.step("create", create(stage, nft, uses=_USES))
    stage.step("create again", create(stage, nft))
    stage.step("name too long", create(stage, stage.key("bad"), name="y" * 33))
    stage.step("mint by a stranger", mint_v1(stage, nft, owner, authority=other))
    stage.step("mint", mint_v1(stage, nft, owner))
    stage.step("mint a second", mint_v1(stage, nft, owner))
    stage.step("transfer", transfer_v1(stage, nft, owner, other))
    stage.step("transfer by a stranger", transfer_v1(stage, nft, other, owner, authority=owner))


def _uses(stage: Stage) -> None:
    nft, other = stage.key("nft"), stage.key("other")
    for name, times in (("use once", 1), ("use more often than is left", _USES), ("use up", 2)):
        use = METADATA(
            "Utilize",
            u64(times),
            metadata=metadata_address(nft),
            token_account=associated_token_address(other, nft),
            mint=nft,
            use_authority=other,
            owner=other,
        )
        stage.step(name, use)


def _fungible(stage: Stage) -> None:
    coin, owner, other = stage.key("coin"), stage.key("owner"), stage.key("other")
    stage.step("coin: create", create(stage, coin, FUNGIBLE, decimals=_DECIMALS))
    stage.step("coin: mint", mint_v1(stage, coin, owner, amount=_COINS, sealed=False))
    stage.step("coin: transfer", transfer_v1(stage, coin, owner, other, amount=5, sealed=False))
    stage.step(
        "coin: transfer too many",
        transfer_v1(stage, coin, other, owner, amount=6, sealed=False),
    )
    stage.step("coin: burn", burn_v1(coin, owner, amount=7, sealed=False))


def _updates(stage: Stage) -> None:
    nft, payer, other = stage.key("nft"), stage.payer, stage.key("other")
    signed = option(creators((payer, True, 100)))
    data = text("NEW") + text("SY2") + text("https://v") + u16(700) + signed
    # No new authority; data; sold; mutability, collection, details, uses, rule set, rules as is.
    arguments = b"\0" + option(None) + option(data) + option(flag(True)) + bytes(6)
    stage.step(
        "update V1",
        METADATA(
            "Update",
            arguments,
            authority=payer,
            mint=nft,
            metadata=metadata_address(nft),
            edition=edition_address(nft),
            payer=payer,
        ),
    )
    for name, authority, kept in (
        ("update that drops a verified creator", payer, option(None)),
        ("update", payer, signed),
        ("update by a stranger", other, signed),
    ):
        data = text("N2") + text("S2") + text("https://w") + u16(100) + kept + bytes(2)
        update = METADATA(
            "UpdateMetadataAccountV2",
            option(data) + option(None) + option(flag(True)) + option(None),
            metadata=metadata_address(nft),
            update_authority=authority,
        )
        stage.step(name, update)
    sold = METADATA(
        "UpdatePrimarySaleHappenedViaToken",
        metadata=metadata_address(nft),
        owner=other,
        token=associated_token_address(other, nft),
    )
    stage.step("sold", sold)


def _signatures(stage: Stage) -> None:
    """A creator signs, withdraws the signature; a label is puffed; a standard is set."""
    mint, owner = stage.key("signed"), stage.key("owner")
    metadata = metadata_address(mint)
    stage.step("signed: mint", token(stage, mint, owner, owner))
    stage.step("signed: label", label(stage, mint, owner, "S", sized=None))
    for name in ("SignMetadata", "RemoveCreatorVerification", "SignMetadata"):
        stage.step(f"signed: {name}", METADATA(name, metadata=metadata, creator=owner))
        stage.step(
            f"signed: {name} by a stranger", METADATA(name, metadata=metadata, creator=stage.payer)
        )
    stage.step("puff", METADATA("PuffMetadata", metadata=metadata))
    stage.step(
        "set the standard",
        METADATA("SetTokenStandard", metadata=metadata, update_authority=owner, mint=mint),
    )
