"""SPL token and Token-2022 instructions in words.

Source: agave's transaction-status crate, parse_token.rs.
"""

from __future__ import annotations

from harness.ledger.embedded.parsed.reader import CannotParse, Reader
from harness.ledger.embedded.parsed.token_extensions import GROUPS, parse_interface
from harness.ledger.embedded.parsed.token_layout import (
    TokenLayout,
    Words,
    named,
    need,
    read_field,
    signers,
)

_AMOUNT = (("amount", "amount"),)
_TOKEN_AMOUNT = (("tokenAmount", "token_amount"),)

_PLAIN: dict[int, TokenLayout] = {
    1: TokenLayout("initializeAccount", ("account", "mint", "owner", "rentSysvar")),
    3: TokenLayout("transfer", ("source", "destination"), "authority", _AMOUNT),
    4: TokenLayout("approve", ("source", "delegate"), "owner", _AMOUNT),
    5: TokenLayout("revoke", ("source",), "owner"),
    7: TokenLayout("mintTo", ("mint", "account"), "mintAuthority", _AMOUNT),
    8: TokenLayout("burn", ("account", "mint"), "authority", _AMOUNT),
    9: TokenLayout("closeAccount", ("account", "destination"), "owner"),
    10: TokenLayout("freezeAccount", ("account", "mint"), "freezeAuthority"),
    11: TokenLayout("thawAccount", ("account", "mint"), "freezeAuthority"),
    12: TokenLayout(
        "transferChecked", ("source", "mint", "destination"), "authority", _TOKEN_AMOUNT
    ),
    13: TokenLayout("approveChecked", ("source", "mint", "delegate"), "owner", _TOKEN_AMOUNT),
    14: TokenLayout("mintToChecked", ("mint", "account"), "mintAuthority", _TOKEN_AMOUNT),
    15: TokenLayout("burnChecked", ("account", "mint"), "authority", _TOKEN_AMOUNT),
    16: TokenLayout(
        "initializeAccount2", ("account", "mint", "rentSysvar"), fields=(("owner", "key"),)
    ),
    17: TokenLayout("syncNative", ("account",)),
    18: TokenLayout("initializeAccount3", ("account", "mint"), fields=(("owner", "key"),)),
    22: TokenLayout("initializeImmutableOwner", ("account",)),
    23: TokenLayout("amountToUiAmount", ("mint",), fields=_AMOUNT),
    24: TokenLayout("uiAmountToAmount", ("mint",), fields=(("uiAmount", "rest_of_text"),)),
    25: TokenLayout(
        "initializeMintCloseAuthority", ("mint",), fields=(("newAuthority", "option_key"),)
    ),
    29: TokenLayout(
        "reallocate", ("account", "payer", "systemProgram"), "owner",
        (("extensionTypes", "extension_types"),),
    ),
    31: TokenLayout("createNativeMint", ("payer", "nativeMint", "systemProgram")),
    32: TokenLayout("initializeNonTransferableMint", ("mint",)),
    35: TokenLayout("initializePermanentDelegate", ("mint",), fields=(("delegate", "key"),)),
    38: TokenLayout("withdrawExcessLamports", ("source", "destination"), "authority"),
}  # fmt: skip

_AUTHORITY_TYPES = (
    "mintTokens", "freezeAccount", "accountOwner", "closeAccount", "transferFeeConfig",
    "withheldWithdraw", "closeMint", "interestRate", "permanentDelegate",
    "confidentialTransferMint", "transferHookProgramId", "confidentialTransferFeeConfig",
    "metadataPointer", "groupPointer", "groupMemberPointer", "scaledUiAmount", "pause",
)  # fmt: skip
_OF_ACCOUNTS = ("accountOwner", "closeAccount")


def parse_token(data: bytes, accounts: list[str]) -> Words:
    """A token instruction. Raises CannotParse for one that nodes do not show either."""
    if not accounts:
        raise CannotParse
    reader = Reader(data)
    tag = reader.u8()
    if tag in _PLAIN:
        return _PLAIN[tag].words(reader, accounts)
    if tag in _SPECIAL:
        kind, info = _SPECIAL[tag](reader, accounts)
        return {"type": kind, "info": info}
    if tag in GROUPS:
        instruction = GROUPS[tag].get(reader.u8())
        if instruction is None:
            raise CannotParse
        return instruction.words(reader, accounts)
    return parse_interface(data, accounts)


def _initialize_mint(reader: Reader, accounts: list[str], rent: bool) -> tuple[str, Words]:
    need(accounts, 1 + rent)
    info: Words = {
        "mint": accounts[0], "decimals": reader.u8(), "mintAuthority": reader.key(),
    }  # fmt: skip
    if rent:
        info["rentSysvar"] = accounts[1]
    freeze = reader.option_key()
    if freeze is not None:
        info["freezeAuthority"] = freeze
    return ("initializeMint" if rent else "initializeMint2"), info


def _initialize_multisig(reader: Reader, accounts: list[str], rent: bool) -> tuple[str, Words]:
    need(accounts, 2 + rent)
    info: Words = {"multisig": accounts[0]}
    if rent:
        info["rentSysvar"] = accounts[1]
    info |= {"signers": accounts[1 + rent :], "m": reader.u8()}
    return ("initializeMultisig" if rent else "initializeMultisig2"), info


def _set_authority(reader: Reader, accounts: list[str]) -> tuple[str, Words]:
    need(accounts, 2)
    kind = named(_AUTHORITY_TYPES, reader.u8())
    info = {
        "account" if kind in _OF_ACCOUNTS else "mint": accounts[0],
        "authorityType": kind,
        "newAuthority": reader.option_key(),
    }
    return "setAuthority", info | signers(accounts, 1, "authority")


def _account_data_size(reader: Reader, accounts: list[str]) -> tuple[str, Words]:
    info: Words = {"mint": accounts[0]}
    extensions = read_field(reader, "extension_types")
    if extensions:
        info["extensionTypes"] = extensions
    return "getAccountDataSize", info


_SPECIAL = {
    0: lambda reader, accounts: _initialize_mint(reader, accounts, True),
    2: lambda reader, accounts: _initialize_multisig(reader, accounts, True),
    6: _set_authority,
    19: lambda reader, accounts: _initialize_multisig(reader, accounts, False),
    20: lambda reader, accounts: _initialize_mint(reader, accounts, False),
    21: _account_data_size,
}
