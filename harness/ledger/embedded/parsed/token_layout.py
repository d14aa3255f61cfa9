"""How a token instruction is laid out, and its words by that layout.

Most instructions of the token programs are a few fields and a few named accounts, the last of
which is an authority. Source: agave's transaction-status crate, parse_token.rs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.ledger.embedded.amounts import plain_number, token_amount
from harness.ledger.embedded.parsed.reader import CannotParse, Reader

Words = dict[str, Any]

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
ACCOUNT_STATES = ("uninitialized", "initialized", "frozen")


@dataclass(frozen=True)
class TokenLayout:
    """One instruction: its name, its accounts in order, its fields in order.

    `authority` is what the account after `accounts` is called, or, when more accounts follow, the
    multisig whose signers they are. Fields are a name and how it is read; a name that ends in "?"
    is left out when there is no value, an empty one is read and not shown.
    """

    kind: str
    accounts: tuple[str, ...]
    authority: str | None = None
    fields: tuple[tuple[str, str], ...] = ()
    #: The data ends with the last field; otherwise more may follow, and is ignored.
    exact: bool = False

    def words(self, reader: Reader, accounts: list[str]) -> Words:
        """Raises CannotParse if there are too few accounts or other data than the fields."""
        need(accounts, len(self.accounts) + (self.authority is not None))
        info: Words = dict(zip(self.accounts, accounts, strict=False))
        info |= self.read(reader)
        if self.authority is not None:
            info |= signers(accounts, len(self.accounts), self.authority)
        return {"type": self.kind, "info": info}

    def read(self, reader: Reader) -> Words:
        """The fields alone."""
        found: Words = {}
        for name, kind in self.fields:
            value = read_field(reader, kind)
            if name and not (name.endswith("?") and value is None):
                found[name.removesuffix("?")] = value
        if self.exact and reader.left:
            raise CannotParse
        return found


def read_field(reader: Reader, kind: str) -> Any:
    """A field by one of the kinds that only token instructions have, or by a reader's method."""
    if kind in _KINDS:
        return _KINDS[kind](reader)
    return getattr(reader, kind)()


def named(names: tuple[str, ...], number: int) -> str:
    if number >= len(names):
        raise CannotParse
    return names[number]


def need(accounts: list[str], count: int) -> None:
    if len(accounts) < count:
        raise CannotParse


def signers(accounts: list[str], at: int, authority: str) -> Words:
    """The authority at `at`; if others follow, it is a multisig and they are its signers."""
    if len(accounts) > at + 1:
        return {multisig(authority): accounts[at], "signers": accounts[at + 1 :]}
    return {authority: accounts[at]}


def multisig(authority: str) -> str:
    """What nodes call an authority that is a multisig account."""
    if authority == "transferFeeConfigAuthority":  # Nodes forgot the capital letter here.
        return f"multisig{authority}"
    return f"multisig{authority[0].upper()}{authority[1:]}"


def _zeroable_elgamal_key(reader: Reader) -> str | None:
    key = reader.take(_ELGAMAL_KEY_BYTES)
    return base64.b64encode(key).decode() if any(key) else None


def _metadata_field(reader: Reader) -> str:
    number = reader.u8()
    if number == len(_METADATA_FIELDS):
        return reader.short_text()
    return named(_METADATA_FIELDS, number)


def _extension_types(reader: Reader) -> list[str]:
    """All that is left; an odd byte at the end is no type."""
    return [named(EXTENSION_TYPES, reader.u16()) for _ in range((reader.left + 1) // 2)]


_METADATA_FIELDS = ("name", "symbol", "uri")
_ELGAMAL_KEY_BYTES, _ELGAMAL_CIPHERTEXT_BYTES, _AE_CIPHERTEXT_BYTES = 32, 64, 36
_KINDS: dict[str, Callable[[Reader], Any]] = {
    "amount": lambda reader: str(reader.u64()),
    "token_amount": lambda reader: token_amount(reader.u64(), reader.u8()),
    "bool": lambda reader: bool(reader.u8()),
    "number": lambda reader: plain_number(reader.f64()),
    "option_u64": lambda reader: reader.u64() if reader.flag() else None,
    "elgamal_key": lambda reader: reader.base64(_ELGAMAL_KEY_BYTES),
    "zeroable_elgamal_key": _zeroable_elgamal_key,
    "elgamal_ciphertext": lambda reader: reader.base64(_ELGAMAL_CIPHERTEXT_BYTES),
    "ae_ciphertext": lambda reader: reader.base64(_AE_CIPHERTEXT_BYTES),
    "account_state": lambda reader: named(ACCOUNT_STATES, reader.u8()),
    "extension_types": _extension_types,
    "metadata_field": _metadata_field,
}
