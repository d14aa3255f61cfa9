"""Methods that send, simulate and look up transactions."""

from __future__ import annotations

import base64
from typing import Any

from solders.message import from_bytes_versioned
from solders.signature import Signature

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.encoding import (
    ACCOUNT_ENCODINGS,
    TRANSACTION_ENCODINGS,
    encode_account,
    inner_instructions,
    return_data,
)
from harness.ledger.embedded.memos import memo_of
from harness.ledger.embedded.message import accounts_of
from harness.ledger.embedded.methods.blocks import encode_in_block
from harness.ledger.embedded.methods.context import in_context, reached
from harness.ledger.embedded.parameters import (
    Options,
    Parameters,
    checked_integer,
    checked_texts,
    to_address,
    to_signature,
    wrong,
)
from harness.ledger.embedded.record import Execution, Refused, TransactionRecord
from harness.ledger.embedded.rpc_error import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    PREFLIGHT_FAILURE,
    SIGNATURE_VERIFICATION_FAILURE,
    RpcError,
    describe,
)
from harness.ledger.fees import budget_of

_ENCODINGS = ("base58", "base64")
_STATUSES_MAX = 256
_SIGNATURES_MAX = 1000
_STATUS_CACHE_SLOTS = 300
_ACCOUNTS_RETURNED_MAX = 64


def send_transaction(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(1)
    transaction = parameters.transaction(
        0, options.choice("encoding", ("base58", "base64"), "base58")
    )
    options.commitment("preflightCommitment")
    options.integer("maxRetries")
    preflight = not options.flag("skipPreflight")
    if preflight:
        reached(chain, Options({"minContextSlot": options.get("minContextSlot")}))
    done = chain.process(transaction, preflight=preflight)
    if isinstance(done, TransactionRecord) or not preflight:
        # Without preflight nobody says why a transaction did not land.
        return str(transaction.signatures[0])
    if done.error == "SignatureFailure":
        raise RpcError(SIGNATURE_VERIFICATION_FAILURE, "Transaction signature verification failure")
    if done.error == "SanitizeFailure":
        raise RpcError(INVALID_PARAMS, f"invalid transaction: {describe(done.error)}")
    raise RpcError(
        PREFLIGHT_FAILURE,
        f"Transaction simulation failed: {describe(done.error)}",
        _simulated(done.error, done.execution, chain.loaded_bytes(transaction)),
    )


def simulate_transaction(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(1)
    transaction = parameters.transaction(
        0, options.choice("encoding", ("base58", "base64"), "base58")
    )
    verify = options.flag("sigVerify")
    commitment = reached(chain, options)
    replaced = None
    if options.flag("replaceRecentBlockhash"):
        if verify:
            raise wrong("sigVerify may not be used with replaceRecentBlockhash")
        blockhash, last_height = chain.latest_blockhash()
        replaced = {"blockhash": str(blockhash), "lastValidBlockHeight": last_height}
    elif not chain.can_land(transaction.message):
        return in_context(chain, _simulated("BlockhashNotFound", None, 0), commitment)
    wanted = _accounts_wanted(options)
    outcome = chain.simulate(transaction, verify=verify)
    if outcome.error == "SignatureFailure":
        raise RpcError(SIGNATURE_VERIFICATION_FAILURE, "Transaction signature verification failure")
    result = _simulated(outcome.error, outcome.execution, chain.loaded_bytes(transaction))
    accounts = chain.machine.accounts
    if wanted is not None:
        encoding, addresses = wanted
        result["accounts"] = [
            encode_account(accounts, one, outcome.after.get(one) or chain.account(one), encoding)
            for one in addresses
        ]
    if options.flag("innerInstructions") and outcome.execution is not None:
        keys = accounts_of(transaction.message, accounts).addresses
        result["innerInstructions"] = inner_instructions(outcome.execution, keys, True)
    if replaced is not None:
        result["replacementBlockhash"] = replaced
    return in_context(chain, result, commitment)


def _accounts_wanted(options: Options) -> tuple[str, list[Any]] | None:
    wanted = options.get("accounts")
    if wanted is None:
        return None
    if not isinstance(wanted, dict):
        raise wrong("invalid type: accounts must be an object")
    encoding = Options(wanted).choice("encoding", ACCOUNT_ENCODINGS, "base64")
    if encoding in ("binary", "base58"):
        raise wrong("base58 encoding not supported")
    listed = checked_texts(wanted.get("addresses"), "addresses", _ACCOUNTS_RETURNED_MAX)
    return encoding, [to_address(text) for text in listed]


def get_transaction(chain: Chain, parameters: Parameters) -> Any:
    second = parameters.value(1)
    options = Options({"encoding": second}) if isinstance(second, str) else parameters.options(1)
    signature = parameters.signature(0)
    encoding = options.choice("encoding", TRANSACTION_ENCODINGS, "json")
    newest = options.integer("maxSupportedTransactionVersion", 255)
    commitment = options.commitment()
    record = chain.history.get(signature)
    if record is None or record.slot > chain.slot_at(commitment):
        return None
    return {
        "slot": record.slot,
        "blockTime": record.block_time,
        **encode_in_block(record, encoding, newest),
    }


def get_signature_statuses(chain: Chain, parameters: Parameters) -> Any:
    signatures = [to_signature(text) for text in parameters.texts(0, _STATUSES_MAX)]
    search = parameters.options(1).flag("searchTransactionHistory")
    return in_context(chain, [status_of(chain, one, search) for one in signatures])


def status_of(chain: Chain, signature: Signature, search: bool) -> dict[str, Any] | None:
    """A transaction's status; without `search` only of the last 300 slots, as on a cluster."""
    record = chain.history.get(signature)
    if record is None:
        return None
    age = chain.slot - record.slot
    if not search and age > _STATUS_CACHE_SLOTS:
        return None
    level = chain.lags.level(age)
    return {
        "slot": record.slot,
        "confirmations": None if level == "finalized" else age,
        "err": record.error,
        "status": {"Ok": None} if record.error is None else {"Err": record.error},
        "confirmationStatus": level.value,
    }


def get_signatures_for_address(chain: Chain, parameters: Parameters) -> Any:
    address, options = parameters.address(0), parameters.options(1)
    limit = options.get("limit")
    limit = _SIGNATURES_MAX if limit is None else checked_integer(limit, "limit")
    if not 1 <= limit <= _SIGNATURES_MAX:
        raise wrong(f"Invalid limit; max {_SIGNATURES_MAX}")
    before, until = (
        None if options.get(name) is None else to_signature(options.get(name))
        for name in ("before", "until")
    )
    newest = chain.slot_at(reached(chain, options))
    records = chain.history.of_account(address, before=before, until=until, limit=limit)
    return [
        {
            "signature": str(record.signature),
            "slot": record.slot,
            "err": record.error,
            "memo": memo_of(record),
            "blockTime": record.block_time,
            "confirmationStatus": chain.lags.level(chain.slot - record.slot).value,
        }
        for record in records
        if record.slot <= newest
    ]


def get_fee_for_message(chain: Chain, parameters: Parameters) -> Any:
    try:
        message = from_bytes_versioned(base64.b64decode(parameters.text(0), validate=True))
    except RpcError:
        raise
    except Exception as error:  # solders raises its own and Rust's
        raise wrong(f"failed to deserialize a message: {error}") from None
    commitment = reached(chain, parameters.options(1))
    if not chain.can_land(message):
        return in_context(chain, None, commitment)
    return in_context(chain, budget_of(message).fee_lamports, commitment)


def request_airdrop(chain: Chain, parameters: Parameters) -> Any:
    parameters.options(2).commitment()
    done = chain.airdrop(parameters.address(0), parameters.integer(1, high=2**53))
    if isinstance(done, Refused) or done.error is not None:
        raise RpcError(INTERNAL_ERROR, f"airdrop request failed: {describe(done.error)}")
    return str(done.signature)


def _simulated(error: Any, execution: Execution | None, loaded_bytes: int) -> dict[str, Any]:
    """The result of a simulation, as nodes give it after a preflight and on request."""
    return {
        "accounts": None,
        "err": error,
        "innerInstructions": None,
        "loadedAccountsDataSize": loaded_bytes,
        "logs": [] if execution is None else execution.logs,
        "returnData": None if execution is None else return_data(execution),
        "unitsConsumed": 0 if execution is None else execution.compute_units,
    }
