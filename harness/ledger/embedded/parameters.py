"""Reading a JSON-RPC call's parameters, with the errors that a node gives for wrong ones."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from based58 import b58decode
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from harness.ledger.embedded.chain import PACKET_BYTES_MAX
from harness.ledger.embedded.rpc_error import INVALID_PARAMS, RpcError


class Parameters:
    """The positional parameters of one call."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def value(self, index: int, default: Any = None) -> Any:
        return self._values[index] if index < len(self._values) else default

    def options(self, index: int) -> dict[str, Any]:
        """The configuration object at `index`; empty if there is none."""
        options = self.value(index)
        if options is None:
            return {}
        if not isinstance(options, dict):
            raise wrong(f"parameter {index + 1} must be an object")
        return options

    def text(self, index: int) -> str:
        text = self.value(index)
        if not isinstance(text, str):
            raise wrong(f"parameter {index + 1} must be a string")
        return text

    def integer(self, index: int, default: int | None = None, high: int = 2**64 - 1) -> int:
        number = self.value(index, default)
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= high:
            raise wrong(f"parameter {index + 1} must be a whole number from 0 to {high}")
        return number

    def texts(self, index: int, most: int) -> list[str]:
        listed = self.value(index)
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise wrong(f"parameter {index + 1} must be a list of strings")
        if len(listed) > most:
            raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {most}")
        return listed

    def address(self, index: int) -> Pubkey:
        return to_address(self.text(index))

    def signature(self, index: int) -> Signature:
        return to_signature(self.text(index))

    def transaction(self, index: int, encoding: str) -> VersionedTransaction:
        """A transaction in base64 or base58. Refuses what does not fit into a packet."""
        text = self.text(index)
        try:
            if encoding == "base64":
                data = base64.b64decode(text, validate=True)
            elif encoding == "base58":
                data = b58decode((text[: 2 * PACKET_BYTES_MAX]).encode())
            else:
                raise wrong(
                    f"unsupported encoding: {encoding}. Supported encodings: base58, base64"
                )
        except (binascii.Error, ValueError) as error:
            raise wrong(f"invalid {encoding} encoding: {error}") from None
        if len(data) > PACKET_BYTES_MAX:
            raise wrong(
                f"decoded solana_transaction::versioned::VersionedTransaction too large: "
                f"{len(data)} bytes (max: {PACKET_BYTES_MAX} bytes)"
            )
        try:
            transaction = VersionedTransaction.from_bytes(data)
            transaction.sanitize()
        except Exception as error:  # solders raises its own and Rust's
            raise wrong(f"failed to deserialize a transaction: {error}") from None
        return transaction


def wrong(reason: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: {reason}")


def to_address(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise wrong("Invalid: WrongSize") from None


def to_signature(text: str) -> Signature:
    try:
        return Signature.from_string(text)
    except ValueError:
        raise wrong("Invalid: WrongSize") from None
