"""Membership in collections: sized and unsized, by old instructions and new, by delegates."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from harness.programs.assets import collection, create, mint_v1
from harness.programs.borsh import u64
from harness.programs.interface import METADATA
from harness.programs.stage import Stage
from programs.token_metadata.client import PROGRAM_ID, edition_address, metadata_address

_CREATOR, _COLLECTION = b"\0", b"\1"


class _Pair:
    """A collection of the payer's and one NFT that may be in it."""

    def __init__(self, stage: Stage, mint: Pubkey, item: Pubkey) -> None:
        self.stage, self.mint, self.item = stage, mint, item

    def old(self, name: str, authority: Pubkey, **more: Pubkey) -> Instruction:
        """One of the older instructions, which name the accounts alike."""
        if name != "UnverifyCollection":
            more["payer"] = self.stage.payer
        if name.startswith("SetAnd"):
            more["update_authority"] = self.stage.payer
        return METADATA(
            name,
            metadata=metadata_address(self.item),
            collection_authority=authority,
            collection_mint=self.mint,
            collection=metadata_address(self.mint),
            collection_master_edition_account=edition_address(self.mint),
            **more,
        )

    def new(self, name: str, what: bytes) -> Instruction:
        """Verify or Unverify of a collection or a creator."""
        accounts = {"authority": self.stage.payer, "metadata": metadata_address(self.item)}
        if what == _COLLECTION:
            accounts["collection_mint"] = self.mint
            accounts["collection_metadata"] = metadata_address(self.mint)
            if name == "Verify":
                accounts["collection_master_edition"] = edition_address(self.mint)
        return METADATA(name, what, **accounts)


def play(stage: Stage) -> None:
    for kind in ("sized", "unsized"):
        mint, item = stage.key(kind), stage.key(f"item of {kind}")
        collection(stage, mint, stage.payer, sized=kind == "sized")
        stage.step(f"{kind}: item", create(stage, item, member_of=mint))
        stage.step(f"{kind}: item minted", mint_v1(stage, item, stage.payer))
        _verify(stage, kind, _Pair(stage, mint, item))
        _delegate(stage, kind, _Pair(stage, mint, item))
    size = METADATA(
        "SetCollectionSize",
        u64(7),
        collection_metadata=metadata_address(stage.key("unsized")),
        collection_authority=stage.payer,
        collection_mint=stage.key("unsized"),
    )
    stage.step("give the unsized a size", size)
    stage.step("give it another", size)


def _verify(stage: Stage, kind: str, pair: _Pair) -> None:
    stranger = stage.wallet("stranger")
    for name in (
        "VerifySizedCollectionItem",
        "UnverifySizedCollectionItem",
        "VerifyCollection",
        "UnverifyCollection",
        "SetAndVerifySizedCollectionItem",
        "SetAndVerifyCollection",
        "UnverifySizedCollectionItem",
        "UnverifyCollection",
    ):
        stage.step(f"{kind}: {name} by a stranger", pair.old(name, stranger))
        stage.step(f"{kind}: {name}", pair.old(name, stage.payer))
    for what, label in ((_COLLECTION, "collection"), (_CREATOR, "creator")):
        for name in ("Verify", "Unverify", "Verify"):
            stage.step(f"{kind}: {name} {label}", pair.new(name, what))
    stage.step(f"{kind}: Unverify collection", pair.new("Unverify", _COLLECTION))


def _delegate(stage: Stage, kind: str, pair: _Pair) -> None:
    """Another key verifies, by a record that is given and taken away."""
    delegate = stage.wallet("delegate")
    seeds = [b"metadata", bytes(PROGRAM_ID), bytes(pair.mint), b"collection_authority"]
    record = Pubkey.find_program_address([*seeds, bytes(delegate)], PROGRAM_ID)[0]
    verify = pair.old(
        "VerifySizedCollectionItem" if kind == "sized" else "SetAndVerifyCollection",
        delegate,
        collection_authority_record=record,
    )
    approve = METADATA(
        "ApproveCollectionAuthority",
        collection_authority_record=record,
        new_collection_authority=delegate,
        update_authority=stage.payer,
        payer=stage.payer,
        metadata=metadata_address(pair.mint),
        mint=pair.mint,
    )
    revoke = METADATA(
        "RevokeCollectionAuthority",
        collection_authority_record=record,
        delegate_authority=delegate,
        revoke_authority=stage.payer,
        metadata=metadata_address(pair.mint),
        mint=pair.mint,
    )
    stage.step(f"{kind}: delegate without record", verify)
    stage.step(f"{kind}: approve", approve)
    stage.step(f"{kind}: delegate verifies", verify)
    stage.step(f"{kind}: revoke", revoke)
    stage.step(f"{kind}: delegate without record again", verify)
