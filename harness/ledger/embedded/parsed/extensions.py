"""Token-2022's extensions of mints and accounts in words.

Each is a type, a length and a value. Those that are not read here appear as
`unparseableExtension`, as a node shows one that it does not know.
Source: agave's account-decoder crate, parse_token_extension.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.ledger.embedded.parsed.reader import CannotParse, Reader
from harness.ledger.embedded.parsed.tokens import EXTENSION_TYPES

_EXTENSIONS_MAX = 64
_STATES = ("uninitialized", "initialized", "frozen")


def parse_extensions(data: bytes) -> list[dict[str, Any]]:
    """The extensions of an account, from after its account-type byte."""
    reader = Reader(data)
    found: list[dict[str, Any]] = []
    while reader.left >= 4 and len(found) < _EXTENSIONS_MAX:
        number, size = reader.u16(), reader.u16()
        if number == 0:
            break
        found.append(_extension(number, reader.take(size)))
    return found


def _extension(number: int, value: bytes) -> dict[str, Any]:
    name = EXTENSION_TYPES[number] if number < len(EXTENSION_TYPES) else ""
    if name in _WITHOUT_STATE:
        return {"extension": name}
    parser = _PARSERS.get(name)
    try:
        if parser is not None:
            return {"extension": name, "state": parser(Reader(value))}
    except CannotParse:
        pass
    return {"extension": "unparseableExtension"}


_WITHOUT_STATE = ("immutableOwner", "nonTransferable", "nonTransferableAccount")


def _default_state(reader: Reader) -> dict[str, Any]:
    state = reader.u8()
    if state >= len(_STATES):
        raise CannotParse
    return {"accountState": _STATES[state]}


def _fee(reader: Reader) -> dict[str, Any]:
    return {
        "epoch": reader.u64(),
        "maximumFee": reader.u64(),
        "transferFeeBasisPoints": reader.u16(),
    }


def _transfer_fee_config(reader: Reader) -> dict[str, Any]:
    authority, withdraw, withheld = reader.zeroable_key(), reader.zeroable_key(), reader.u64()
    return {
        "transferFeeConfigAuthority": authority,
        "withdrawWithheldAuthority": withdraw,
        "withheldAmount": withheld,
        "olderTransferFee": _fee(reader),
        "newerTransferFee": _fee(reader),
    }


def _token_metadata(reader: Reader) -> dict[str, Any]:
    authority, mint = reader.zeroable_key(), reader.key()
    name, symbol, uri = reader.short_text(), reader.short_text(), reader.short_text()
    pairs = min(reader.u32(), 1024)
    additional = [[reader.short_text(), reader.short_text()] for _ in range(pairs)]
    return {
        "updateAuthority": authority, "mint": mint, "name": name, "symbol": symbol, "uri": uri,
        "additionalMetadata": additional,
    }  # fmt: skip


def _keys(*names: str) -> Callable[[Reader], dict[str, Any]]:
    return lambda reader: {name: reader.zeroable_key() for name in names}


_PARSERS: dict[str, Callable[[Reader], dict[str, Any]]] = {
    "transferFeeConfig": _transfer_fee_config,
    "transferFeeAmount": lambda reader: {"withheldAmount": reader.u64()},
    "mintCloseAuthority": _keys("closeAuthority"),
    "permanentDelegate": _keys("delegate"),
    "metadataPointer": _keys("authority", "metadataAddress"),
    "groupPointer": _keys("authority", "groupAddress"),
    "groupMemberPointer": _keys("authority", "memberAddress"),
    "transferHook": _keys("authority", "programId"),
    "defaultAccountState": _default_state,
    "memoTransfer": lambda reader: {"requireIncomingTransferMemos": bool(reader.u8())},
    "cpiGuard": lambda reader: {"lockCpi": bool(reader.u8())},
    "tokenMetadata": _token_metadata,
}
