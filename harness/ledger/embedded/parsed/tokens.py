"""SPL token and Token-2022 instructions in words.

Source: agave's transaction-status crate, parse_token.rs. Of Token-2022's extensions those that
NFTs and fungible mints commonly carry are parsed; others are shown raw.
"""

from __future__ import annotations

from typing import Any

from harness.ledger.embedded.amounts import token_amount
from harness.ledger.embedded.parsed.reader import CannotParse, Reader

#: By tag: name, named accounts, how the authority is called (None: no authority), fields.
_PLAIN: dict[int, tuple[str, tuple[str, ...], tuple[str, str] | None, tuple[str, ...]]] = {
    3: ("transfer", ("source", "destination"), ("authority", "multisigAuthority"), ("amount",)),
    4: ("approve", ("source", "delegate"), ("owner", "multisigOwner"), ("amount",)),
    5: ("revoke", ("source",), ("owner", "multisigOwner"), ()),
    7: ("mintTo", ("mint", "account"), ("mintAuthority", "multisigMintAuthority"), ("amount",)),
    8: ("burn", ("account", "mint"), ("authority", "multisigAuthority"), ("amount",)),
    9: ("closeAccount", ("account", "destination"), ("owner", "multisigOwner"), ()),
    10: ("freezeAccount", ("account", "mint"),
         ("freezeAuthority", "multisigFreezeAuthority"), ()),
    11: ("thawAccount", ("account", "mint"),
         ("freezeAuthority", "multisigFreezeAuthority"), ()),
    12: ("transferChecked", ("source", "mint", "destination"),
         ("authority", "multisigAuthority"), ("tokenAmount",)),
    13: ("approveChecked", ("source", "mint", "delegate"),
         ("owner", "multisigOwner"), ("tokenAmount",)),
    14: ("mintToChecked", ("mint", "account"),
         ("mintAuthority", "multisigMintAuthority"), ("tokenAmount",)),
    15: ("burnChecked", ("account", "mint"), ("authority", "multisigAuthority"),
         ("tokenAmount",)),
    1: ("initializeAccount", ("account", "mint", "owner", "rentSysvar"), None, ()),
    17: ("syncNative", ("account",), None, ()),
    22: ("initializeImmutableOwner", ("account",), None, ()),
    23: ("amountToUiAmount", ("mint",), None, ("amount",)),
    31: ("createNativeMint", ("payer", "nativeMint", "systemProgram"), None, ()),
    32: ("initializeNonTransferableMint", ("mint",), None, ()),
    38: ("withdrawExcessLamports", ("source", "destination"),
         ("authority", "multisigAuthority"), ()),
}  # fmt: skip

_AUTHORITY_TYPES = (
    "mintTokens", "freezeAccount", "accountOwner", "closeAccount", "transferFeeConfig",
    "withheldWithdraw", "closeMint", "interestRate", "permanentDelegate",
    "confidentialTransferMint", "transferHookProgramId", "confidentialTransferFeeConfig",
    "metadataPointer", "groupPointer", "groupMemberPointer", "scaledUiAmount", "pause",
)  # fmt: skip
_OF_ACCOUNTS = ("accountOwner", "closeAccount")

#: Names of Token-2022's extensions by number. Source: spl-token-2022, ExtensionType.
EXTENSION_TYPES = (
    "uninitialized", "transferFeeConfig", "transferFeeAmount", "mintCloseAuthority",
    "confidentialTransferMint", "confidentialTransferAccount", "defaultAccountState",
    "immutableOwner", "memoTransfer", "nonTransferable", "interestBearingConfig", "cpiGuard",
    "permanentDelegate", "nonTransferableAccount", "transferHook", "transferHookAccount",
    "confidentialTransferFeeConfig", "confidentialTransferFeeAmount", "metadataPointer",
    "tokenMetadata", "groupPointer", "tokenGroup", "groupMemberPointer", "tokenGroupMember",
    "confidentialMintBurn", "scaledUiAmount", "pausable", "pausableAccount",
)  # fmt: skip


def parse_token(data: bytes, accounts: list[str]) -> dict[str, Any]:
    """A token instruction. Raises CannotParse for one that nodes (or we) do not show."""
    if not accounts:
        raise CannotParse
    reader = Reader(data)
    tag = reader.u8()
    if tag in _PLAIN:
        return _plain(tag, reader, accounts)
    parser = _SPECIAL.get(tag)
    if parser is None:
        raise CannotParse
    kind, info = parser(reader, accounts)
    return {"type": kind, "info": info}


def _plain(tag: int, reader: Reader, accounts: list[str]) -> dict[str, Any]:
    kind, names, authority, fields = _PLAIN[tag]
    _need(accounts, len(names) + (authority is not None))
    info: dict[str, Any] = dict(zip(names, accounts, strict=False))
    for name in fields:
        amount = reader.u64()
        info[name] = str(amount) if name == "amount" else token_amount(amount, reader.u8())
    if authority is not None:
        info |= _signers(accounts, len(names), *authority)
    return {"type": kind, "info": info}


def _need(accounts: list[str], count: int) -> None:
    if len(accounts) < count:
        raise CannotParse


def _signers(accounts: list[str], at: int, single: str, multiple: str) -> dict[str, Any]:
    """The authority at `at`; if others follow, it is a multisig and they are its signers."""
    if len(accounts) > at + 1:
        return {multiple: accounts[at], "signers": accounts[at + 1 :]}
    return {single: accounts[at]}


def _initialize_mint(reader: Reader, accounts: list[str], rent: bool) -> tuple[str, Any]:
    _need(accounts, 1 + rent)
    info: dict[str, Any] = {
        "mint": accounts[0], "decimals": reader.u8(), "mintAuthority": reader.key(),
    }  # fmt: skip
    if rent:
        info["rentSysvar"] = accounts[1]
    freeze = reader.option_key()
    if freeze is not None:
        info["freezeAuthority"] = freeze
    return ("initializeMint" if rent else "initializeMint2"), info


def _initialize_account(reader: Reader, accounts: list[str], rent: bool) -> tuple[str, Any]:
    _need(accounts, 2 + rent)
    info = {"account": accounts[0], "mint": accounts[1], "owner": reader.key()}
    if rent:
        info["rentSysvar"] = accounts[2]
    return ("initializeAccount2" if rent else "initializeAccount3"), info


def _initialize_multisig(reader: Reader, accounts: list[str], rent: bool) -> tuple[str, Any]:
    _need(accounts, 2 + rent)
    info: dict[str, Any] = {"multisig": accounts[0]}
    if rent:
        info["rentSysvar"] = accounts[1]
    info |= {"signers": accounts[1 + rent :], "m": reader.u8()}
    return ("initializeMultisig" if rent else "initializeMultisig2"), info


def _set_authority(reader: Reader, accounts: list[str]) -> tuple[str, Any]:
    _need(accounts, 2)
    number = reader.u8()
    if number >= len(_AUTHORITY_TYPES):
        raise CannotParse
    kind = _AUTHORITY_TYPES[number]
    info = {
        "account" if kind in _OF_ACCOUNTS else "mint": accounts[0],
        "authorityType": kind,
        "newAuthority": reader.option_key(),
    }
    return "setAuthority", info | _signers(accounts, 1, "authority", "multisigAuthority")


def _extensions(reader: Reader) -> list[str]:
    numbers = [reader.u16() for _ in range(reader.left // 2)]
    if any(number >= len(EXTENSION_TYPES) for number in numbers):
        raise CannotParse
    return [EXTENSION_TYPES[number] for number in numbers]


def _account_data_size(reader: Reader, accounts: list[str]) -> tuple[str, Any]:
    info: dict[str, Any] = {"mint": accounts[0]}
    extensions = _extensions(reader)
    if extensions:
        info["extensionTypes"] = extensions
    return "getAccountDataSize", info


def _ui_amount(reader: Reader, accounts: list[str]) -> tuple[str, Any]:
    try:
        text = reader.rest().decode()
    except UnicodeDecodeError:
        raise CannotParse from None
    return "uiAmountToAmount", {"mint": accounts[0], "uiAmount": text}


def _mint_close_authority(reader: Reader, accounts: list[str]) -> tuple[str, Any]:
    info = {"mint": accounts[0], "newAuthority": reader.option_key()}
    return "initializeMintCloseAuthority", info


def _permanent_delegate(reader: Reader, accounts: list[str]) -> tuple[str, Any]:
    info = {"mint": accounts[0], "delegate": reader.key()}
    return "initializePermanentDelegate", info


def _metadata_pointer(reader: Reader, accounts: list[str]) -> tuple[str, Any]:
    if reader.u8() == 0:
        info: dict[str, Any] = {"mint": accounts[0]}
        for name in ("authority", "metadataAddress"):
            key = reader.zeroable_key()
            if key is not None:
                info[name] = key
        return "initializeMetadataPointer", info
    _need(accounts, 2)
    info = {"mint": accounts[0]}
    key = reader.zeroable_key()
    if key is not None:
        info["metadataAddress"] = key
    return "updateMetadataPointer", info | _signers(accounts, 1, "authority", "multisigAuthority")


_SPECIAL = {
    0: lambda reader, accounts: _initialize_mint(reader, accounts, True),
    2: lambda reader, accounts: _initialize_multisig(reader, accounts, True),
    6: _set_authority,
    16: lambda reader, accounts: _initialize_account(reader, accounts, True),
    18: lambda reader, accounts: _initialize_account(reader, accounts, False),
    19: lambda reader, accounts: _initialize_multisig(reader, accounts, False),
    20: lambda reader, accounts: _initialize_mint(reader, accounts, False),
    21: _account_data_size,
    24: _ui_amount,
    25: _mint_close_authority,
    35: _permanent_delegate,
    39: _metadata_pointer,
}
