"""Reading a JSON-RPC call's parameters, with the errors that a node gives for wrong ones."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from based58 import b58decode
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from harness.ledger.embedded.chain import PACKET_BYTES_MAX
from harness.ledger.embedded.commitment import Commitment
from harness.ledger.embedded.rpc_error import INVALID_PARAMS, RpcError

_BASE58_CHARACTERS_MAX = 1683  # of a full packet
_BASE64_CHARACTERS_MAX = 1644
_U64_MAX = 2**64 - 1


class Options:
    """The configuration object of a call; every field is checked as it is read."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields

    def get(self, name: str) -> Any:
        return self.fields.get(name)

    def flag(self, name: str) -> bool:
        value = self.fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise wrong(f"invalid type: {name} must be a boolean")
        return bool(value)

    def integer(self, name: str, high: int = _U64_MAX) -> int | None:
        value = self.fields.get(name)
        if value is None:
            return None
        return checked_integer(value, name, high)

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        value = self.fields.get(name)
        if value is None:
            return default
        if value not in allowed:
            listed = ", ".join(f"`{one}`" for one in allowed)
            raise wrong(f"unknown variant `{str(value)[:40]}`, expected one of {listed}")
        return str(value)

    def commitment(self, name: str = "commitment") -> Commitment:
        text = self.choice(name, [one.value for one in Commitment], Commitment.FINALIZED.value)
        return Commitment(text)

    def data_slice(self) -> tuple[int, int] | None:
        value = self.fields.get("dataSlice")
        if value is None:
            return None
        if not isinstance(value, dict):
            raise wrong("invalid type: dataSlice must be an object")
        return (
            checked_integer(value.get("offset"), "dataSlice.offset"),
            checked_integer(value.get("length"), "dataSlice.length"),
        )


class Parameters:
    """The positional parameters of one call."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def value(self, index: int, default: Any = None) -> Any:
        return self._values[index] if index < len(self._values) else default

    def options(self, index: int) -> Options:
        """The configuration object at `index`; empty if there is none."""
        options = self.value(index)
        if options is None:
            return Options({})
        if not isinstance(options, dict):
            raise wrong(f"parameter {index + 1} must be an object")
        return Options(options)

    def text(self, index: int) -> str:
        text = self.value(index)
        if not isinstance(text, str):
            raise wrong(f"parameter {index + 1} must be a string")
        return text

    def integer(self, index: int, default: int | None = None, high: int = _U64_MAX) -> int:
        return checked_integer(self.value(index, default), f"parameter {index + 1}", high)

    def texts(self, index: int, most: int) -> list[str]:
        return checked_texts(self.value(index), f"parameter {index + 1}", most)

    def address(self, index: int) -> Pubkey:
        return to_address(self.text(index))

    def signature(self, index: int) -> Signature:
        return to_signature(self.text(index))

    def transaction(self, index: int, encoding: str) -> VersionedTransaction:
        """A transaction in base64 or base58. Refuses what does not fit into a packet."""
        text = self.text(index)
        if encoding not in ("base58", "base64"):
            raise wrong(f"unsupported encoding: {encoding}. Supported encodings: base58, base64")
        most = _BASE64_CHARACTERS_MAX if encoding == "base64" else _BASE58_CHARACTERS_MAX
        kind = "solana_transaction::versioned::VersionedTransaction"
        if len(text) > most:
            raise wrong(
                f"{encoding} encoded {kind} too large: {len(text)} bytes "
                f"(max: encoded/raw {most}/{PACKET_BYTES_MAX})"
            )
        data = decoded(text, encoding)
        if len(data) > PACKET_BYTES_MAX:
            raise wrong(
                f"decoded {kind} too large: {len(data)} bytes (max: {PACKET_BYTES_MAX} bytes)"
            )
        try:
            transaction = VersionedTransaction.from_bytes(data)
            transaction.sanitize()
        except Exception as error:  # solders raises its own and Rust's
            raise wrong(f"failed to deserialize {kind}: {error}") from None
        return transaction


def wrong(reason: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: {reason}")


def decoded(text: str, encoding: str) -> bytes:
    """Bytes from base58 or base64 text."""
    try:
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
        return b58decode(text.encode())
    except (binascii.Error, ValueError) as error:
        raise wrong(f"invalid {encoding} encoding: {error}") from None


def checked_integer(value: Any, name: str, high: int = _U64_MAX) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
        raise wrong(f"{name} must be a whole number from 0 to {high}")
    return value


def checked_texts(value: Any, name: str, most: int) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong(f"{name} must be a list of strings")
    if len(value) > most:
        raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {most}")
    return value


def to_address(text: Any) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except (ValueError, TypeError):
        raise wrong("Invalid: WrongSize") from None


def to_signature(text: Any) -> Signature:
    try:
        return Signature.from_string(text)
    except (ValueError, TypeError):
        raise wrong("Invalid: WrongSize") from None
