"""Accounts and transactions in the JSON that Solana's nodes answer with."""

from __future__ import annotations

import base64
from typing import Any

from based58 import b58encode
from solders.account import Account
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from harness.ledger.embedded.record import TokenBalance, TransactionRecord
from harness.ledger.embedded.rpc_error import INVALID_PARAMS, RpcError

# solders' type stubs lack some of TransactionMetadata's methods, hence `meta: Any` below.

_BASE58_BYTES_MAX = 128
_RENT_EPOCH_NEVER = 2**64 - 1


def base58(data: bytes) -> str:
    """Bytes of any length as base58 text."""
    return b58encode(data).decode()


def encode_account(
    account: Account | None, encoding: str, data_slice: dict[str, int] | None = None
) -> dict[str, Any] | None:
    """An account as `getAccountInfo` gives it."""
    if account is None:
        return None
    data = bytes(account.data)
    size = len(data)
    if data_slice is not None:
        data = data[data_slice["offset"] : data_slice["offset"] + data_slice["length"]]
    return {
        "data": encode_data(data, encoding),
        "executable": account.executable,
        "lamports": account.lamports,
        "owner": str(account.owner),
        "rentEpoch": _RENT_EPOCH_NEVER,
        "space": size,
    }


def encode_data(data: bytes, encoding: str) -> str | list[str]:
    """Account bytes in one of Solana's encodings; unknown layouts of jsonParsed fall back to
    base64, as nodes do."""
    if encoding in ("base64", "jsonParsed"):
        return [base64.b64encode(data).decode(), "base64"]
    if encoding in ("base58", "binary"):
        if len(data) > _BASE58_BYTES_MAX:
            raise RpcError(
                INVALID_PARAMS,
                f"Encoded binary (base 58) data should be less than {_BASE58_BYTES_MAX} bytes, "
                "please use Base64 encoding.",
            )
        return base58(data) if encoding == "binary" else [base58(data), "base58"]
    raise RpcError(INVALID_PARAMS, f"Invalid params: unknown encoding {encoding!r}.")


def encode_transaction(transaction: VersionedTransaction, encoding: str) -> Any:
    """A transaction as `getTransaction` gives it."""
    if encoding == "base64":
        return [base64.b64encode(bytes(transaction)).decode(), "base64"]
    if encoding == "base58":
        return [base58(bytes(transaction)), "base58"]
    if encoding not in ("json", "jsonParsed"):
        raise RpcError(INVALID_PARAMS, f"Invalid params: unknown encoding {encoding!r}.")
    message = transaction.message
    encoded: dict[str, Any] = {
        "accountKeys": [str(key) for key in message.account_keys],
        "header": {
            "numRequiredSignatures": message.header.num_required_signatures,
            "numReadonlySignedAccounts": message.header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": message.header.num_readonly_unsigned_accounts,
        },
        "instructions": [
            {
                "programIdIndex": one.program_id_index,
                "accounts": list(one.accounts),
                "data": base58(one.data),
                "stackHeight": None,
            }
            for one in message.instructions
        ],
        "recentBlockhash": str(message.recent_blockhash),
    }
    if isinstance(message, MessageV0):
        encoded["addressTableLookups"] = [
            {
                "accountKey": str(lookup.account_key),
                "writableIndexes": list(lookup.writable_indexes),
                "readonlyIndexes": list(lookup.readonly_indexes),
            }
            for lookup in message.address_table_lookups
        ]
    return {"signatures": [str(one) for one in transaction.signatures], "message": encoded}


def encode_meta(record: TransactionRecord) -> dict[str, Any]:
    """What happened in a transaction, as `getTransaction` gives it."""
    return {
        "err": record.error,
        "status": {"Ok": None} if record.error is None else {"Err": record.error},
        "fee": record.fee_lamports,
        "preBalances": list(record.before_lamports),
        "postBalances": list(record.after_lamports),
        "preTokenBalances": [_token_balance(one) for one in record.before_tokens],
        "postTokenBalances": [_token_balance(one) for one in record.after_tokens],
        "innerInstructions": inner_instructions(record.meta),
        "logMessages": record.meta.logs(),
        "rewards": [],
        "loadedAddresses": {
            "writable": [str(address) for address in record.loaded_writable],
            "readonly": [str(address) for address in record.loaded_readonly],
        },
        "computeUnitsConsumed": record.meta.compute_units_consumed(),
        **return_data(record.meta),
    }


def inner_instructions(meta: Any) -> list[dict[str, Any]]:
    """Instructions that programs called, by the index of the instruction they came from."""
    return [
        {
            "index": index,
            "instructions": [
                {
                    "programIdIndex": one.instruction().program_id_index,
                    "accounts": list(one.instruction().accounts),
                    "data": base58(one.instruction().data),
                    "stackHeight": one.stack_height(),
                }
                for one in called
            ],
        }
        for index, called in enumerate(meta.inner_instructions())
        if called
    ]


def return_data(meta: Any) -> dict[str, Any]:
    """The `returnData` field; absent where nothing was returned, as on a node."""
    returned = meta.return_data()
    if not returned.data:
        return {}
    data = [base64.b64encode(bytes(returned.data)).decode(), "base64"]
    return {"returnData": {"programId": str(returned.program_id), "data": data}}


def token_amount(amount: int, decimals: int) -> dict[str, Any]:
    """An amount of tokens as nodes show it."""
    exact = str(amount)
    if decimals:
        exact = f"{amount / 10**decimals:.{decimals}f}".rstrip("0").rstrip(".")
    return {
        "amount": str(amount),
        "decimals": decimals,
        "uiAmount": amount / 10**decimals,
        "uiAmountString": exact,
    }


def _token_balance(balance: TokenBalance) -> dict[str, Any]:
    return {
        "accountIndex": balance.index,
        "mint": str(balance.mint),
        "owner": str(balance.owner),
        "programId": str(balance.program),
        "uiTokenAmount": token_amount(balance.amount, balance.decimals),
    }
