"""Programmable NFTs: every role that can be delegated and revoked, locks, transfers and burns."""

from __future__ import annotations

from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from harness.programs.assets import (
    PROGRAMMABLE,
    burn_v1,
    create,
    mint_v1,
    token_record,
    transfer_v1,
)
from harness.programs.borsh import option, u8, u64
from harness.programs.interface import METADATA
from harness.programs.stage import Stage
from programs.addresses import TOKEN, associated_token_address
from programs.token_metadata.client import edition_address, metadata_address

_NO_RULES = option(None)


@dataclass(frozen=True)
class Role:
    """What somebody can be delegated to do: its number and arguments in DelegateArgs, and for the
    update authority's roles the name by which the record is found."""

    name: str
    number: int
    arguments: bytes
    record: str = ""


UTILITY = Role("utility", 4, u64(1) + _NO_RULES)
ROLES = (
    Role("sale", 1, u64(1) + _NO_RULES),
    Role("transfer", 2, u64(1) + _NO_RULES),
    Role("staking", 5, u64(1) + _NO_RULES),
    Role("standard", 6, u64(1)),
    Role("locked transfer", 7, u64(1) + bytes(32) + _NO_RULES),
    UTILITY,
    Role("collection", 0, _NO_RULES, "collection_delegate"),
    Role("data", 3, _NO_RULES, "data_delegate"),
    Role("programmable config", 8, _NO_RULES, "programmable_config_delegate"),
    Role("authority item", 9, _NO_RULES, "authority_item_delegate"),
    Role("data item", 10, _NO_RULES, "data_item_delegate"),
    Role("collection item", 11, _NO_RULES, "collection_item_delegate"),
    Role("programmable config item", 12, _NO_RULES, "prog_config_item_delegate"),
)
#: RevokeArgs counts one more, for migrations, before the item roles.
_ITEM_ROLES_FROM = 9


def play(stage: Stage) -> None:
    pnft, owner, holder = stage.key("pnft"), stage.wallet("owner"), stage.wallet("holder")
    delegate = stage.wallet("delegate")
    stage.step("create", create(stage, pnft, PROGRAMMABLE))
    stage.step("mint without record", mint_v1(stage, pnft, owner))
    stage.step("mint", mint_v1(stage, pnft, owner, programmable=True))
    moved = transfer_v1(stage, pnft, owner, holder, programmable=True)
    stage.step("transfer without records", transfer_v1(stage, pnft, owner, holder))
    stage.step("transfer", moved)
    for role in ROLES:
        giver = stage.payer if role.record else holder
        for by, authority in (("", giver), (" by a stranger", delegate)):
            change = _change(stage, "Delegate", role, pnft, holder, authority)
            stage.step(f"delegate {role.name}{by}", change)
        if role != UTILITY:
            stage.step(f"burn by the {role.name} delegate", _burn(pnft, holder, delegate))
        by_delegate = transfer_v1(stage, pnft, holder, owner, programmable=True, authority=delegate)
        if role.name not in ("sale", "transfer"):
            stage.step(f"transfer by the {role.name} delegate", by_delegate)
        stage.step(f"revoke {role.name}", _change(stage, "Revoke", role, pnft, holder, giver))
    _locks(stage, pnft, owner, holder, delegate)
    stage.step("burn without record", burn_v1(pnft, holder))
    stage.step("burn", burn_v1(pnft, holder, programmable=True))
    _frozen(stage, owner, delegate)


def _burn(mint: Pubkey, holder: Pubkey, delegate: Pubkey) -> Instruction:
    return burn_v1(mint, holder, programmable=True, authority=delegate)


def _change(
    stage: Stage, name: str, role: Role, mint: Pubkey, holder: Pubkey, authority: Pubkey
) -> Instruction:
    """Delegate or Revoke. Holders give roles over their token, the payer over the label."""
    delegate, held = stage.key("delegate"), associated_token_address(holder, mint)
    optional = {}
    number = role.number + (name == "Revoke" and role.number >= _ITEM_ROLES_FROM)
    if role.record:
        seeds = [b"metadata", bytes(METADATA.program), bytes(mint), role.record.encode()]
        seeds += [bytes(stage.payer), bytes(delegate)]
        optional["delegate_record"] = Pubkey.find_program_address(seeds, METADATA.program)[0]
    else:
        optional["token_record"], optional["token"] = token_record(mint, held), held
    return METADATA(
        name,
        u8(number) + (role.arguments if name == "Delegate" else b""),
        delegate=delegate,
        metadata=metadata_address(mint),
        master_edition=edition_address(mint),
        mint=mint,
        authority=authority,
        payer=stage.payer,
        **optional,
    )


def _locks(stage: Stage, pnft: Pubkey, owner: Pubkey, holder: Pubkey, delegate: Pubkey) -> None:
    def lock(name: str, authority: Pubkey) -> Instruction:
        held = associated_token_address(holder, pnft)
        return METADATA(
            name,
            b"\0" + option(None),
            authority=authority,
            token_owner=holder,
            token=held,
            mint=pnft,
            metadata=metadata_address(pnft),
            edition=edition_address(pnft),
            token_record=token_record(pnft, held),
            payer=stage.payer,
        )

    back = transfer_v1(stage, pnft, holder, owner, programmable=True)
    stage.step("utility", _change(stage, "Delegate", UTILITY, pnft, holder, holder))
    stage.step("lock by the holder", lock("Lock", holder))
    stage.step("lock", lock("Lock", delegate))
    stage.step("transfer what is locked", back)
    stage.step("burn what is locked", burn_v1(pnft, holder, programmable=True))
    stage.step("burn what is locked, by its delegate", _burn(pnft, holder, delegate))
    stage.step("unlock", lock("Unlock", delegate))
    stage.step("no longer utility", _change(stage, "Revoke", UTILITY, pnft, holder, holder))


def _frozen(stage: Stage, owner: Pubkey, delegate: Pubkey) -> None:
    """A plain NFT whose holder approved somebody, who freezes it."""
    mint = stage.key("frozen")
    held = associated_token_address(owner, mint)
    approve = Instruction(
        TOKEN,
        b"\4" + u64(1),
        [
            AccountMeta(held, False, True),
            AccountMeta(delegate, False, False),
            AccountMeta(owner, True, False),
        ],
    )
    accounts = {
        "delegate": delegate,
        "token_account": held,
        "edition": edition_address(mint),
        "mint": mint,
    }
    stage.step("plain: create", create(stage, mint))
    stage.step("plain: mint", mint_v1(stage, mint, owner))
    stage.step("plain: freeze without approval", METADATA("FreezeDelegatedAccount", **accounts))
    stage.step("plain: approve", approve)
    stage.step("plain: freeze", METADATA("FreezeDelegatedAccount", **accounts))
    stage.step("plain: burn what is frozen", burn_v1(mint, owner))
    stage.step("plain: thaw", METADATA("ThawDelegatedAccount", **accounts))
    stage.step("plain: burn what is approved", burn_v1(mint, owner))
