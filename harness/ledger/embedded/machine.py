"""The virtual machine: LiteSVM set up as mainnet is, as far as programs can tell.

LiteSVM enables every feature that its version knows. Mainnet does not: among those still off are
direct mapping of account data (without it stack frames have gaps, and a program that writes past
its frame faults) and the end of deployments under the upgradeable loader. They are switched off
here. Signatures, blockhash life and duplicates are checked by `chain`, which knows the history.
"""

from __future__ import annotations

import struct
from typing import Protocol

from solders.account import Account
from solders.litesvm import FeatureSet, LiteSVM
from solders.pubkey import Pubkey

from harness.ledger.embedded.allocator import keep_freed_memory
from harness.ledger.protocol import ProgramImage
from programs.addresses import SYSTEM, TOKEN, UPGRADEABLE_LOADER, program_data_address

#: Features of this LiteSVM that mainnet-beta had not activated in August 2026.
OFF_ON_MAINNET = {
    "bpf_account_data_direct_mapping": "AjX3A4Nv2rzUuATEUWLP4rrBaBropyUnHxEvFDj1dKbx",
    "blake3_syscall_enabled": "HTW2pSyErTj4BV6KBM9NZ9VBUJVxt7sacNWcf76wtzb3",
    "disable_new_loader_v3_deployments": "EmhbpdVtZ2hWRGFWBDjn2i3SJD8Z36z4mpMcZJEnebnP",
    "disable_sbpf_v0_execution": "TestFeature11111111111111111111111111111111",
    "enable_big_mod_exp_syscall": "EBq48m8irRKuE7ZnMTLvLg2UuGSqhe8s8oMqnmja1fJw",
    "enable_loader_v4": "8Cb77yHjPWe9wuWUfXeh6iszFGCDGNCoFk3tprViYHNm",
    "enable_zk_proof_from_account": "zkiTNuzBKxrCLMKehzuQeKZyLtX2yvFcEKMML8nExU8",
    "enable_zk_transfer_with_fee": "zkNLP7EQALfC1TYeB3biDU7akDckj8iPkvh9y2Mt2K3",
    "include_loaded_accounts_data_size_in_fee_calculation": (
        "EaQpmC6GtRssaZ3PCUM5YksGqUdMLeZ46BQXYtHYakDS"
    ),
    "increase_tx_account_lock_limit": "9LZdXeKGeBV6hRLdxS1rHbHoEUsKqesCC2ZAPTPKJAbK",
    "lift_cpi_caller_restriction": "HcW8ZjBezYYgvcbxNJwqv1t484Y2556qJsfNDWvJGZRH",
    "remaining_compute_units_syscall_enabled": "5TuppMutoyzhUSfuYdhgzD47F92GL1g89KpCZQKqedxP",
    "zk_token_sdk_enabled": "zk1snxsc6Fh3wsGNbbHAJNHiJoYgF29mMnTSusGx5EJ",
}
_PROGRAM, _PROGRAM_DATA = 2, 3  # states of the upgradeable loader's accounts

TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")

#: The program that owns the accounts which say what features are active.
FEATURES = Pubkey.from_string("Feature111111111111111111111111111111111111")
_ACTIVATED_AT_0 = b"\x01" + bytes(8)

#: Wrapped SOL's mint, which every cluster has: no authorities, nine decimals, initialised.
NATIVE_MINT = Pubkey.from_string("So11111111111111111111111111111111111111112")
_NATIVE_MINT_DATA = bytes(44) + bytes([9, 1]) + bytes(36)

#: What every cluster has from the start, where LiteSVM has it: native and SPL programs, sysvars.
GENESIS = tuple(
    Pubkey.from_string(text)
    for text in (
        "11111111111111111111111111111111",
        "Vote111111111111111111111111111111111111111",
        "Stake11111111111111111111111111111111111111",
        "Config1111111111111111111111111111111111111",
        "BPFLoader1111111111111111111111111111111111",
        "BPFLoader2111111111111111111111111111111111",
        "BPFLoaderUpgradeab1e11111111111111111111111",
        "LoaderV411111111111111111111111111111111111",
        "ComputeBudget111111111111111111111111111111",
        "AddressLookupTab1e1111111111111111111111111",
        "ZkTokenProof1111111111111111111111111111111",
        "ZkE1Gama1Proof11111111111111111111111111111",
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
        "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
        "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
        "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo",
        "SysvarC1ock11111111111111111111111111111111",
        "SysvarRent111111111111111111111111111111111",
        "SysvarEpochSchedu1e111111111111111111111111",
        "SysvarFees111111111111111111111111111111111",
        "SysvarRecentB1ockHashes11111111111111111111",
        "SysvarS1otHashes111111111111111111111111111",
        "SysvarS1otHistory11111111111111111111111111",
        "SysvarStakeHistory1111111111111111111111111",
        "SysvarEpochRewards1111111111111111111111111",
        "SysvarLastRestartS1ot1111111111111111111111",
        "So11111111111111111111111111111111111111112",
    )
)


class HoldsAccounts(Protocol):
    """Something that accounts can be put into: LiteSVM, or the bank around it."""

    def set_account(self, address: Pubkey, account: Account) -> None: ...

    def minimum_balance_for_rent_exemption(self, data_len: int) -> int: ...


def mainnet_features() -> FeatureSet:
    """Every feature that this LiteSVM knows, but those that mainnet has not activated."""
    off = {Pubkey.from_string(text) for text in OFF_ON_MAINNET.values()}
    features = FeatureSet.default()
    known = FeatureSet.all_enabled().active
    features.active = {feature: slot for feature, slot in known.items() if feature not in off}
    features.inactive = off
    return features


def feature_account(machine: HoldsAccounts) -> Account:
    """What clients read to learn that a feature is active: activated, since slot 0."""
    rent = machine.minimum_balance_for_rent_exemption(len(_ACTIVATED_AT_0))
    return Account(rent, _ACTIVATED_AT_0, FEATURES, False, 0)


def new_machine() -> LiteSVM:
    """An empty machine with native and SPL programs."""
    keep_freed_memory()
    machine = (
        LiteSVM.default()
        .with_builtins(mainnet_features())
        .with_lamports(10**18)
        .with_sysvars()
        .with_precompiles()
        .with_spl_programs()
        .with_sigverify(False)
        .with_blockhash_check(False)
        .with_transaction_history(0)
    )
    rent = machine.minimum_balance_for_rent_exemption(len(_NATIVE_MINT_DATA))
    machine.set_account(NATIVE_MINT, Account(rent, _NATIVE_MINT_DATA, TOKEN, False, 0))
    return machine


def add_wallet(machine: HoldsAccounts, address: Pubkey, lamports: int) -> None:
    """An ordinary wallet, there from the start."""
    machine.set_account(address, Account(lamports, b"", SYSTEM, False, 0))


def add_program(machine: HoldsAccounts, image: ProgramImage, slot: int) -> None:
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
