"""Prints of master editions: up to the limit and beyond it, transferred, burnt; without limit."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from harness.programs.assets import burn_v1, label, master_edition, token, transfer_v1
from harness.programs.borsh import u64
from harness.programs.interface import METADATA
from harness.programs.stage import Stage
from programs.addresses import associated_token_address
from programs.token_metadata.client import PROGRAM_ID, edition_address, metadata_address

_PRINTS_MAX = 2
_MARKER_EDITIONS = 248  # one marker account keeps the bits of so many prints


def play(stage: Stage) -> None:
    master, payer, other = stage.key("master"), stage.payer, stage.wallet("other")
    _master(stage, master, _PRINTS_MAX)
    prints = [stage.key(f"print {number}") for number in range(1, _PRINTS_MAX + 2)]
    for number, mint in enumerate(prints, 1):
        stage.step(f"print {number}: mint", token(stage, mint, payer, payer))
        stage.step(f"print {number}", print_instruction(stage, master, mint, number))
    stage.step("print a number again", print_instruction(stage, master, prints[2], 1))
    stage.step("transfer a print", transfer_v1(stage, prints[0], payer, other))
    stage.step("burn the master first", burn_v1(master, payer))
    stage.step("burn a print", _burn(prints[1], master, payer, 2))
    stage.step("burn a print by a stranger", _burn(prints[0], master, payer, 1))
    old = METADATA(
        "BurnEditionNft",
        metadata=metadata_address(prints[0]),
        owner=other,
        print_edition_mint=prints[0],
        master_edition_mint=master,
        print_edition_token_account=associated_token_address(other, prints[0]),
        master_edition_token_account=associated_token_address(payer, master),
        master_edition_account=edition_address(master),
        print_edition_account=edition_address(prints[0]),
        edition_marker_account=_marker(master, 1),
    )
    stage.step("burn a print, the old way", old)
    stage.step("burn the master last", burn_v1(master, payer))
    endless = stage.key("endless")
    _master(stage, endless, None)
    stage.step("far print: mint", token(stage, stage.key("far"), payer, payer))
    stage.step(
        "far print", print_instruction(stage, endless, stage.key("far"), _MARKER_EDITIONS + 1)
    )


def _master(stage: Stage, mint: Pubkey, prints_max: int | None) -> None:
    payer = stage.payer
    stage.step("master: mint", token(stage, mint, payer, payer))
    stage.step("master: label", label(stage, mint, payer, "Ed", sized=None))
    stage.step("master: edition", master_edition(stage, mint, payer, prints_max))


def _marker(master: Pubkey, number: int) -> Pubkey:
    seeds = [b"metadata", bytes(PROGRAM_ID), bytes(master), b"edition"]
    page = str(number // _MARKER_EDITIONS).encode()
    return Pubkey.find_program_address([*seeds, page], PROGRAM_ID)[0]


def print_instruction(stage: Stage, master: Pubkey, mint: Pubkey, number: int) -> Instruction:
    """A numbered print of a master edition of the payer's."""
    payer = stage.payer
    return METADATA(
        "MintNewEditionFromMasterEditionViaToken",
        u64(number),
        new_metadata=metadata_address(mint),
        new_edition=edition_address(mint),
        master_edition=edition_address(master),
        new_mint=mint,
        edition_mark_pda=_marker(master, number),
        new_mint_authority=payer,
        payer=payer,
        token_account_owner=payer,
        token_account=associated_token_address(payer, master),
        new_metadata_update_authority=payer,
        metadata=metadata_address(master),
    )


def _burn(mint: Pubkey, master: Pubkey, owner: Pubkey, number: int) -> Instruction:
    return burn_v1(
        mint,
        owner,
        master_edition=edition_address(master),
        master_edition_mint=master,
        master_edition_token=associated_token_address(owner, master),
        edition_marker=_marker(master, number),
    )
