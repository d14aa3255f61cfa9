"""Accounts and transactions in the JSON that Solana's nodes answer with.

Source: Solana's RPC documentation; agave's account-decoder and transaction-status crates.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from based58 import b58encode
from solders.account import Account
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from harness.ledger.embedded.accounts import Accounts
from harness.ledger.embedded.amounts import token_amount
from harness.ledger.embedded.parsed import parse_account, parse_instruction
from harness.ledger.embedded.record import Execution, TokenBalance, TransactionRecord
from harness.ledger.embedded.rpc_error import INVALID_PARAMS, RpcError
from harness.ledger.embedded.zstandard import stored

_BASE58_BYTES_MAX = 128
_RENT_EPOCH_NEVER = 2**64 - 1
_MINT_DECIMALS_AT = 44
ACCOUNT_ENCODINGS = ("binary", "base58", "base64", "base64+zstd", "jsonParsed")
TRANSACTION_ENCODINGS = ("json", "jsonParsed", "base58", "base64", "binary")


def base58(data: bytes) -> str:
    """Bytes of any length as base58 text."""
    return b58encode(data).decode()


def encode_account(
    accounts: Accounts,
    address: Pubkey,
    account: Account | None,
    encoding: str,
    data_slice: tuple[int, int] | None = None,
) -> dict[str, Any] | None:
    """An account as `getAccountInfo` gives it; `data_slice` is offset and length."""
    if account is None:
        return None
    data = account.data
    encoded: Any = None
    if encoding == "jsonParsed":
        encoded = parse_account(address, account, lambda mint: decimals_of(accounts, mint))
    if encoded is None:
        shown = data
        if data_slice is not None:
            shown = data[data_slice[0] : data_slice[0] + data_slice[1]]
        encoded = encode_data(shown, encoding)
    return {
        "data": encoded,
        "executable": account.executable,
        "lamports": account.lamports,
        "owner": str(account.owner),
        "rentEpoch": _RENT_EPOCH_NEVER,
        "space": len(data),
    }


def decimals_of(accounts: Accounts, mint: Pubkey) -> int | None:
    """A mint's decimals; None if there is no such mint."""
    account = accounts.get(mint)
    if account is None or len(account.data) <= _MINT_DECIMALS_AT:
        return None
    return account.data[_MINT_DECIMALS_AT]


def encode_data(data: bytes, encoding: str) -> str | list[str]:
    """Account bytes in one of Solana's encodings; what jsonParsed cannot show comes as base64."""
    if encoding in ("base64", "jsonParsed"):
        return [base64.b64encode(data).decode(), "base64"]
    if encoding == "base64+zstd":
        return [base64.b64encode(stored(data)).decode(), encoding]
    if len(data) > _BASE58_BYTES_MAX:
        raise RpcError(
            INVALID_PARAMS,
            f"Encoded binary (base 58) data should be less than {_BASE58_BYTES_MAX} bytes, "
            "please use Base64 encoding.",
        )
    return base58(data) if encoding == "binary" else [base58(data), "base58"]


def encode_transaction(record: TransactionRecord, encoding: str) -> Any:
    """A transaction as `getTransaction` gives it."""
    transaction = record.transaction
    if encoding == "base64":
        return [base64.b64encode(bytes(transaction)).decode(), "base64"]
    if encoding == "base58":
        return [base58(bytes(transaction)), "base58"]
    if encoding == "binary":
        return base58(bytes(transaction))
    message = transaction.message
    encoded: dict[str, Any]
    if encoding == "jsonParsed":
        encoded = {
            "accountKeys": parsed_keys(record),
            "instructions": [
                encode_instruction(
                    record.accounts, one.program_id_index, bytes(one.accounts), one.data, 1, True
                )
                for one in message.instructions
            ],
        }
    else:
        header = message.header
        encoded = {
            "accountKeys": [str(key) for key in message.account_keys],
            "header": {
                "numRequiredSignatures": header.num_required_signatures,
                "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
                "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
            },
            "instructions": [
                encode_instruction(
                    record.accounts, one.program_id_index, bytes(one.accounts), one.data, 1, False
                )
                for one in message.instructions
            ],
        }
    encoded["recentBlockhash"] = str(message.recent_blockhash)
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


def parsed_keys(record: TransactionRecord) -> list[dict[str, Any]]:
    """The accounts of a transaction with what each may do in it."""
    message = record.transaction.message
    static = len(message.account_keys)
    changing = static + len(record.loaded_writable)
    return [
        {
            "pubkey": str(key),
            "signer": index < message.header.num_required_signatures,
            "source": "transaction" if index < static else "lookupTable",
            "writable": _may_write(message, index) if index < static else index < changing,
        }
        for index, key in enumerate(record.accounts)
    ]


def _may_write(message: Message | MessageV0, index: int) -> bool:
    header, count = message.header, len(message.account_keys)
    signed = header.num_required_signatures
    if index < signed:
        return index < signed - header.num_readonly_signed_accounts
    programs = {one.program_id_index for one in message.instructions}
    return index < count - header.num_readonly_unsigned_accounts and index not in programs


def encode_instruction(
    keys: Sequence[Pubkey],
    program_index: int,
    accounts: bytes,
    data: bytes,
    stack_height: int,
    parse: bool,
) -> dict[str, Any]:
    """An instruction: in words if it is to be parsed and can be, else in base58."""
    if not parse:
        return {
            "programIdIndex": program_index,
            "accounts": list(accounts),
            "data": base58(data),
            "stackHeight": stack_height,
        }
    names = [str(keys[index]) for index in accounts if index < len(keys)]
    parsed = parse_instruction(keys[program_index], data, names, stack_height)
    return parsed or {
        "programId": str(keys[program_index]),
        "accounts": names,
        "data": base58(data),
        "stackHeight": stack_height,
    }


def encode_meta(record: TransactionRecord, parse: bool = False) -> dict[str, Any]:
    """What happened in a transaction, as `getTransaction` gives it."""
    execution = record.execution
    encoded = {
        "err": record.error,
        "status": {"Ok": None} if record.error is None else {"Err": record.error},
        "fee": record.fee_lamports,
        "preBalances": record.before_lamports,
        "postBalances": record.after_lamports,
        "preTokenBalances": [encode_token_balance(one) for one in record.before_tokens],
        "postTokenBalances": [encode_token_balance(one) for one in record.after_tokens],
        "innerInstructions": inner_instructions(execution, record.accounts, parse),
        "logMessages": execution.logs,
        "rewards": [],
        "computeUnitsConsumed": execution.compute_units,
        "costUnits": execution.compute_units,
    }
    if not parse:
        encoded["loadedAddresses"] = {
            "writable": [str(address) for address in record.loaded_writable],
            "readonly": [str(address) for address in record.loaded_readonly],
        }
    returned = return_data(execution)
    return encoded if returned is None else {**encoded, "returnData": returned}


def inner_instructions(
    execution: Execution, keys: Sequence[Pubkey], parse: bool
) -> list[dict[str, Any]]:
    """Instructions that programs called, by the index of the instruction they came from."""
    return [
        {
            "index": index,
            "instructions": [
                encode_instruction(
                    keys, one.program_index, one.accounts, one.data, one.stack_height, parse
                )
                for one in called
            ],
        }
        for index, called in execution.inner
    ]


def return_data(execution: Execution) -> dict[str, Any] | None:
    """What the last program returned; None where nothing was."""
    if execution.return_program is None:
        return None
    data = [base64.b64encode(execution.return_data).decode(), "base64"]
    return {"programId": str(execution.return_program), "data": data}


def encode_token_balance(balance: TokenBalance) -> dict[str, Any]:
    return {
        "accountIndex": balance.index,
        "mint": str(balance.mint),
        "owner": str(balance.owner),
        "programId": str(balance.program),
        "uiTokenAmount": token_amount(balance.amount, balance.decimals),
    }


def version_of(transaction: VersionedTransaction) -> int | str:
    """A transaction's version as nodes name it."""
    return 0 if isinstance(transaction.message, MessageV0) else "legacy"
