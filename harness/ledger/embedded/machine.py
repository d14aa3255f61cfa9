"""The virtual machine: LiteSVM set up as a cluster is, as far as programs can tell.

LiteSVM's defaults differ from a cluster in one way that hides bugs: its stack frames touch, so
that a program which writes past its frame passes here and faults on mainnet. The feature that
removes the gaps is therefore switched off. Signatures, blockhash life and duplicates are checked
by `chain`, which knows the history.
"""

from __future__ import annotations

import struct

from solders.account import Account
from solders.litesvm import FeatureSet, LiteSVM
from solders.pubkey import Pubkey

from harness.ledger.embedded.allocator import keep_freed_memory
from harness.ledger.protocol import ProgramImage
from programs.addresses import SYSTEM, UPGRADEABLE_LOADER, program_data_address

# Account data direct mapping, which drops the gaps between stack frames.
_NO_FRAME_GAPS = Pubkey.from_string("AjX3A4Nv2rzUuATEUWLP4rrBaBropyUnHxEvFDj1dKbx")
_PROGRAM, _PROGRAM_DATA = 2, 3  # states of the upgradeable loader's accounts


def new_machine() -> LiteSVM:
    """An empty machine with native and SPL programs."""
    keep_freed_memory()
    features = FeatureSet.default()
    features.active = {
        feature: slot
        for feature, slot in FeatureSet.all_enabled().active.items()
        if feature != _NO_FRAME_GAPS
    }
    features.inactive = {_NO_FRAME_GAPS}
    return (
        LiteSVM.default()
        .with_builtins(features)
        .with_lamports(10**18)
        .with_sysvars()
        .with_precompiles()
        .with_spl_programs()
        .with_sigverify(False)
        .with_blockhash_check(False)
        .with_transaction_history(0)
    )


def add_wallet(machine: LiteSVM, address: Pubkey, lamports: int) -> None:
    """An ordinary wallet, there from the start."""
    machine.set_account(address, Account(lamports, b"", SYSTEM, False, 0))


def add_program(machine: LiteSVM, image: ProgramImage, slot: int) -> None:
    """A program as the upgradeable loader leaves it: code in one account, a pointer in another."""
    code = program_data_address(image.address)
    authority = image.upgrade_authority
    header = struct.pack("<IQ?", _PROGRAM_DATA, slot, authority is not None)
    header += bytes(authority or Pubkey.default())
    data = header + image.elf
    rent = machine.minimum_balance_for_rent_exemption
    # Code first: the machine loads the program when it sees the pointer.
    machine.set_account(code, Account(rent(len(data)), data, UPGRADEABLE_LOADER, False, 0))
    pointer = struct.pack("<I", _PROGRAM) + bytes(code)
    machine.set_account(
        image.address, Account(rent(len(pointer)), pointer, UPGRADEABLE_LOADER, True, 0)
    )
