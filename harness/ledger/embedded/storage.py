"""Accounts and transactions as JSON, for files: snapshots, archives, account files.

Accounts are in the format of solana-test-validator's `--account` files. Nothing here is pickled: a
file from somebody else can be wrong, but it cannot run.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from harness.errors import UsageError
from harness.ledger.embedded.record import (
    Execution,
    InnerInstruction,
    TokenBalance,
    TransactionRecord,
)

_RENT_EPOCH_NEVER = 2**64 - 1


def account_to_json(address: Pubkey, account: Account) -> dict[str, Any]:
    data = account.data
    return {
        "pubkey": str(address),
        "account": {
            "lamports": account.lamports,
            "data": [base64.b64encode(data).decode(), "base64"],
            "owner": str(account.owner),
            "executable": account.executable,
            "rentEpoch": _RENT_EPOCH_NEVER,
            "space": len(data),
        },
    }


def account_from_json(stored: Any) -> tuple[Pubkey, Account]:
    """Address and account. Raises ValueError, KeyError or TypeError for anything else."""
    held = stored["account"]
    text, encoding = held["data"]
    if encoding != "base64":
        raise ValueError(f"its data is in {encoding}, not in base64")
    account = Account(
        held["lamports"],
        base64.b64decode(text, validate=True),
        Pubkey.from_string(held["owner"]),
        bool(held["executable"]),
        0,
    )
    return Pubkey.from_string(stored["pubkey"]), account


def read_account_file(path: Path) -> tuple[Pubkey, Account]:
    """An account from a file as `solana account --output json` writes it. Raises UsageError."""
    try:
        return account_from_json(json.loads(path.read_text()))
    except OSError as error:
        raise UsageError(f"cannot read the account file {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise UsageError(
            f"{path} is not an account file ({type(error).__name__}: {error}); write one with "
            "`solana account ADDRESS --output json --output-file FILE`"
        ) from None


def record_to_json(record: TransactionRecord) -> dict[str, Any]:
    execution = record.execution
    return {
        "transaction": _text(bytes(record.transaction)),
        "slot": record.slot,
        "blockTime": record.block_time,
        "error": record.error,
        "fee": record.fee_lamports,
        "loadedWritable": [str(one) for one in record.loaded_writable],
        "loadedReadonly": [str(one) for one in record.loaded_readonly],
        "before": record.before_lamports,
        "after": record.after_lamports,
        "beforeTokens": [_token_to_json(one) for one in record.before_tokens],
        "afterTokens": [_token_to_json(one) for one in record.after_tokens],
        "logs": execution.logs,
        "inner": [
            [
                index,
                [[o.program_index, _text(o.accounts), _text(o.data), o.stack_height] for o in c],
            ]
            for index, c in execution.inner
        ],
        "units": execution.compute_units,
        "returnProgram": execution.return_program and str(execution.return_program),
        "returnData": _text(execution.return_data),
    }


def record_from_json(stored: Any) -> TransactionRecord:
    """Raises ValueError, KeyError or TypeError for what is no record."""
    transaction = VersionedTransaction.from_bytes(_bytes(stored["transaction"]))
    writable = tuple(Pubkey.from_string(one) for one in stored["loadedWritable"])
    readonly = tuple(Pubkey.from_string(one) for one in stored["loadedReadonly"])
    returned = stored["returnProgram"]
    return TransactionRecord(
        signature=transaction.signatures[0],
        transaction=transaction,
        slot=stored["slot"],
        block_time=stored["blockTime"],
        error=stored["error"],
        fee_lamports=stored["fee"],
        accounts=(*transaction.message.account_keys, *writable, *readonly),
        loaded_writable=writable,
        loaded_readonly=readonly,
        before_lamports=tuple(stored["before"]),
        after_lamports=tuple(stored["after"]),
        before_tokens=tuple(_token_from_json(one) for one in stored["beforeTokens"]),
        after_tokens=tuple(_token_from_json(one) for one in stored["afterTokens"]),
        execution=Execution(
            logs=tuple(stored["logs"]),
            inner=tuple(
                (index, tuple(_inner_from_json(one) for one in called))
                for index, called in stored["inner"]
            ),
            compute_units=stored["units"],
            return_program=None if returned is None else Pubkey.from_string(returned),
            return_data=_bytes(stored["returnData"]),
        ),
    )


def _inner_to_json(one: InnerInstruction) -> list[Any]:
    return [one.program_index, _text(one.accounts), _text(one.data), one.stack_height]


def _inner_from_json(stored: list[Any]) -> InnerInstruction:
    program, accounts, data, height = stored
    return InnerInstruction(program, _bytes(accounts), _bytes(data), height)


def _token_to_json(balance: TokenBalance) -> list[Any]:
    return [
        balance.index,
        str(balance.mint),
        str(balance.owner),
        balance.amount,
        balance.decimals,
        str(balance.program),
    ]


def _token_from_json(stored: list[Any]) -> TokenBalance:
    index, mint, owner, amount, decimals, program = stored
    key = Pubkey.from_string
    return TokenBalance(index, key(mint), key(owner), amount, decimals, key(program))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
