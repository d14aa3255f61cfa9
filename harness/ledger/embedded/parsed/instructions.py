"""Instructions in words: what `jsonParsed` shows of system, token and loader instructions.

Programs without a parser on a node, compute budget among them, have none here either: clients
get their raw form. Source: agave's transaction-status crate, parse_*.rs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from solders.pubkey import Pubkey

from harness.ledger.embedded.machine import TOKEN_2022
from harness.ledger.embedded.parsed.reader import CannotParse, Reader, read
from harness.ledger.embedded.parsed.tokens import parse_token
from programs.addresses import ASSOCIATED_TOKEN, SYSTEM, TOKEN, UPGRADEABLE_LOADER

Parser = Callable[[bytes, list[str]], Any]
_LOADER = Pubkey.from_string("BPFLoader2111111111111111111111111111111111")
_LOOKUP_TABLES = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
_MEMOS = (
    Pubkey.from_string("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"),
    Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
)

#: By tag: the name, the accounts in order (null for one that ends in "?" and is not there), and the
#: fields in order with how to read them.
Layout = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]

_SYSTEM: dict[int, Layout] = {
    0: ("createAccount", ("source", "newAccount"),
        (("lamports", "u64"), ("space", "u64"), ("owner", "key"))),
    1: ("assign", ("account",), (("owner", "key"),)),
    2: ("transfer", ("source", "destination"), (("lamports", "u64"),)),
    3: ("createAccountWithSeed", ("source", "newAccount"),
        (("base", "key"), ("seed", "text"), ("lamports", "u64"), ("space", "u64"),
         ("owner", "key"))),
    4: ("advanceNonce", ("nonceAccount", "recentBlockhashesSysvar", "nonceAuthority"), ()),
    5: ("withdrawFromNonce",
        ("nonceAccount", "destination", "recentBlockhashesSysvar", "rentSysvar",
         "nonceAuthority"), (("lamports", "u64"),)),
    6: ("initializeNonce", ("nonceAccount", "recentBlockhashesSysvar", "rentSysvar"),
        (("nonceAuthority", "key"),)),
    7: ("authorizeNonce", ("nonceAccount", "nonceAuthority"), (("newAuthorized", "key"),)),
    8: ("allocate", ("account",), (("space", "u64"),)),
    9: ("allocateWithSeed", ("account",),
        (("base", "key"), ("seed", "text"), ("space", "u64"), ("owner", "key"))),
    10: ("assignWithSeed", ("account",), (("base", "key"), ("seed", "text"), ("owner", "key"))),
    11: ("transferWithSeed", ("source", "sourceBase", "destination"),
         (("lamports", "u64"), ("sourceSeed", "text"), ("sourceOwner", "key"))),
    12: ("upgradeNonce", ("nonceAccount",), ()),
}  # fmt: skip

#: Where nodes want more accounts than they name.
_MORE_ACCOUNTS = {"allocateWithSeed": 2, "assignWithSeed": 2}

_ASSOCIATED_ACCOUNTS = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
_ASSOCIATED: dict[int, Layout] = {
    0: ("create", _ASSOCIATED_ACCOUNTS, ()),
    1: ("createIdempotent", _ASSOCIATED_ACCOUNTS, ()),
    2: ("recoverNested",
        ("nestedSource", "nestedMint", "destination", "nestedOwner", "ownerMint", "wallet",
         "tokenProgram"), ()),
}  # fmt: skip

_UPGRADEABLE: dict[int, Layout] = {
    2: ("deployWithMaxDataLen",
        ("payerAccount", "programDataAccount", "programAccount", "bufferAccount", "rentSysvar",
         "clockSysvar", "systemProgram", "authority"), (("maxDataLen", "u64"),)),
    3: ("upgrade",
        ("programDataAccount", "programAccount", "bufferAccount", "spillAccount", "rentSysvar",
         "clockSysvar", "authority"), ()),
    4: ("setAuthority", ("account", "authority", "newAuthority?"), ()),
    5: ("close", ("account", "recipient", "authority", "programAccount?"), ()),
    6: ("extendProgram",
        ("programDataAccount", "programAccount", "systemProgram?", "payerAccount?"),
        (("additionalBytes", "u32"),)),
    7: ("setAuthorityChecked", ("account", "authority", "newAuthority"), ()),
    8: ("migrate", ("programDataAccount", "programAccount", "authority"), ()),
    9: ("extendProgramChecked",
        ("programDataAccount", "programAccount", "authority", "systemProgram?", "payerAccount?"),
        (("additionalBytes", "u32"),)),
}  # fmt: skip


def parse_instruction(
    program: Pubkey, data: bytes, accounts: Sequence[str], stack_height: int | None
) -> dict[str, Any] | None:
    """An instruction as a node's `jsonParsed` shows it; None if nodes do not parse it.

    `accounts` are the instruction's own, in order.
    """
    named = _PARSERS.get(program)
    if named is None:
        return None
    name, parser = named
    try:
        parsed = parser(data, list(accounts))
    except CannotParse:
        return None
    return {
        "program": name,
        "programId": str(program),
        "parsed": parsed,
        "stackHeight": stack_height,
    }


def _by_layout(layout: Layout, data: bytes, accounts: list[str]) -> dict[str, Any]:
    kind, names, fields = layout
    if len(accounts) < sum(not name.endswith("?") for name in names):
        raise CannotParse
    listed = zip_longest(names, accounts[: len(names)])
    info: dict[str, Any] = {name.removesuffix("?"): account for name, account in listed}
    info.update(read(data, fields))
    return {"type": kind, "info": info}


def _of(layouts: dict[int, Layout], tag: int, data: bytes, accounts: list[str]) -> dict[str, Any]:
    if tag not in layouts or len(accounts) < max(1, _MORE_ACCOUNTS.get(layouts[tag][0], 0)):
        raise CannotParse
    return _by_layout(layouts[tag], data, accounts)


def _system(data: bytes, accounts: list[str]) -> dict[str, Any]:
    return _of(_SYSTEM, Reader(data).u32(), data[4:], accounts)


def _associated(data: bytes, accounts: list[str]) -> dict[str, Any]:
    if len(data) > 1:
        raise CannotParse
    return _of(_ASSOCIATED, data[0] if data else 0, b"", accounts)


def _memo(data: bytes, _: list[str]) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CannotParse from None


def _upgradeable(data: bytes, accounts: list[str]) -> dict[str, Any]:
    reader = Reader(data)
    tag = reader.u32()
    if tag in _UPGRADEABLE:
        return _of(_UPGRADEABLE, tag, data[4:], accounts)
    if not accounts:
        raise CannotParse
    if tag == 0:
        info: dict[str, Any] = {"account": accounts[0]}
        if len(accounts) > 1:
            info["authority"] = accounts[1]
        return {"type": "initializeBuffer", "info": info}
    if tag != 1 or len(accounts) < 2:
        raise CannotParse
    return _write(reader, {"account": accounts[0], "authority": accounts[1]})


def _write(reader: Reader, named: dict[str, Any]) -> dict[str, Any]:
    offset, size = reader.u32(), reader.u64()
    written = base64.b64encode(reader.take(size)).decode()
    return {"type": "write", "info": {"offset": offset, "bytes": written} | named}


def _loader(data: bytes, accounts: list[str]) -> dict[str, Any]:
    reader = Reader(data)
    tag = reader.u32()
    if len(accounts) < 1 + (tag == 1) or tag > 1:
        raise CannotParse
    if tag == 1:
        return {"type": "finalize", "info": {"account": accounts[0]}}
    return _write(reader, {"account": accounts[0]})


def _lookup_tables(data: bytes, accounts: list[str]) -> dict[str, Any]:
    reader = Reader(data)
    tag = reader.u32()
    if len(accounts) < 2 or tag > 4 or (tag in (0, 4) and len(accounts) < 3):
        raise CannotParse
    info: dict[str, Any] = {
        "lookupTableAccount": accounts[0], "lookupTableAuthority": accounts[1],
    }  # fmt: skip
    if tag == 0:
        if len(accounts) < 4:
            raise CannotParse
        info |= {
            "payerAccount": accounts[2], "systemProgram": accounts[3],
            "recentSlot": reader.u64(), "bumpSeed": reader.u8(),
        }  # fmt: skip
    if tag == 2:
        info["newAddresses"] = [reader.key() for _ in range(min(reader.u64(), 256))]
        if len(accounts) > 3:
            info |= {"payerAccount": accounts[2], "systemProgram": accounts[3]}
    if tag == 4:
        info["recipient"] = accounts[2]
    names = (
        "createLookupTable", "freezeLookupTable", "extendLookupTable", "deactivateLookupTable",
        "closeLookupTable",
    )  # fmt: skip
    return {"type": names[tag], "info": info}


_PARSERS: dict[Pubkey, tuple[str, Parser]] = {
    SYSTEM: ("system", _system),
    TOKEN: ("spl-token", parse_token),
    TOKEN_2022: ("spl-token", parse_token),
    ASSOCIATED_TOKEN: ("spl-associated-token-account", _associated),
    UPGRADEABLE_LOADER: ("bpf-upgradeable-loader", _upgradeable),
    _LOADER: ("bpf-loader", _loader),
    _LOOKUP_TABLES: ("address-lookup-table", _lookup_tables),
    **dict.fromkeys(_MEMOS, ("spl-memo", _memo)),
}
