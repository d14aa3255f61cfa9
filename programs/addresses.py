"""Addresses that every cluster has: native and SPL programs, sysvars."""

from __future__ import annotations

from solders.pubkey import Pubkey

SYSTEM = Pubkey.from_string("11111111111111111111111111111111")
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED_TOKEN = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
UPGRADEABLE_LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
CLOCK_SYSVAR = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
INSTRUCTIONS_SYSVAR = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")
SLOT_HASHES_SYSVAR = Pubkey.from_string("SysvarS1otHashes111111111111111111111111111")


def associated_token_address(owner: Pubkey, mint: Pubkey) -> Pubkey:
    """The owner's default account for tokens of a mint."""
    return Pubkey.find_program_address([bytes(owner), bytes(TOKEN), bytes(mint)], ASSOCIATED_TOKEN)[
        0
    ]


def program_data_address(program: Pubkey) -> Pubkey:
    """Where the upgradeable loader keeps a program's code and upgrade authority."""
    return Pubkey.find_program_address([bytes(program)], UPGRADEABLE_LOADER)[0]
