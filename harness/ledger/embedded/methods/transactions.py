"""Methods that send, simulate and look up transactions."""

from __future__ import annotations

import base64
from typing import Any

from solders.account import Account
from solders.message import Message, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction_metadata import TransactionMetadata

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.encoding import (
    encode_account,
    encode_meta,
    encode_transaction,
    inner_instructions,
    return_data,
)
from harness.ledger.embedded.methods.accounts import in_context
from harness.ledger.embedded.parameters import Parameters, to_address, to_signature, wrong
from harness.ledger.embedded.record import Refused, TransactionRecord
from harness.ledger.embedded.rpc_error import (
    INTERNAL_ERROR,
    PREFLIGHT_FAILURE,
    SIGNATURE_VERIFICATION_FAILURE,
    RpcError,
    describe,
)
from programs.addresses import COMPUTE_BUDGET

_STATUSES_MAX = 256
_SIGNATURES_MAX = 1000
_SIGNATURE_FEE_LAMPORTS = 5000
_MICRO = 1_000_000


def send_transaction(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(1)
    transaction = parameters.transaction(0, options.get("encoding", "base58"))
    signature = str(transaction.signatures[0])
    preflight = not options.get("skipPreflight", False)
    done = chain.process(transaction, preflight=preflight)
    if isinstance(done, TransactionRecord) or not preflight:
        return signature  # without preflight nobody says why a transaction did not land
    if done.error == "SignatureFailure":
        raise RpcError(SIGNATURE_VERIFICATION_FAILURE, "Transaction signature verification failure")
    raise RpcError(
        PREFLIGHT_FAILURE,
        f"Transaction simulation failed: {describe(done.error)}",
        _simulated(done.error, done.meta),
    )


def simulate_transaction(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(1)
    transaction = parameters.transaction(0, options.get("encoding", "base58"))
    verify = bool(options.get("sigVerify", False))
    replaced = None
    if options.get("replaceRecentBlockhash"):
        if verify:
            raise wrong("sigVerify may not be used with replaceRecentBlockhash")
        blockhash, last_height = chain.latest_blockhash()
        replaced = {"blockhash": str(blockhash), "lastValidBlockHeight": last_height}
    elif not chain.is_blockhash_valid(transaction.message.recent_blockhash):
        return in_context(chain, _simulated("BlockhashNotFound", None))
    error, meta, after = chain.simulate(transaction, verify=verify)
    result = _simulated(error, meta)
    wanted = options.get("accounts")
    if wanted:
        result["accounts"] = [
            _account_after(chain, to_address(text), after, wanted.get("encoding", "base64"))
            for text in wanted.get("addresses", ())
        ]
    if options.get("innerInstructions") and meta is not None:
        result["innerInstructions"] = inner_instructions(meta)
    if replaced is not None:
        result["replacementBlockhash"] = replaced
    return in_context(chain, result)


def get_transaction(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.value(1)
    options = {"encoding": options} if isinstance(options, str) else parameters.options(1)
    record = chain.history.get(parameters.signature(0))
    if record is None:
        return None
    version: int | str = 0 if isinstance(record.transaction.message, MessageV0) else "legacy"
    if version == 0 and options.get("maxSupportedTransactionVersion") is None:
        raise RpcError(
            -32015,
            "Transaction version (0) is not supported by the requesting client. Please try the "
            "request again with the following configuration parameter: "
            '"maxSupportedTransactionVersion": 0',
        )
    encoded = {
        "slot": record.slot,
        "blockTime": record.block_time,
        "transaction": encode_transaction(record.transaction, options.get("encoding", "json")),
        "meta": encode_meta(record),
    }
    if options.get("maxSupportedTransactionVersion") is not None:
        encoded["version"] = version
    return encoded


def get_signature_statuses(chain: Chain, parameters: Parameters) -> Any:
    signatures = [to_signature(text) for text in parameters.texts(0, _STATUSES_MAX)]
    return in_context(chain, [status_of(chain, one) for one in signatures])


def status_of(chain: Chain, signature: Signature) -> dict[str, Any] | None:
    """A transaction's status; final at once, since nothing is ever undone here."""
    record = chain.history.get(signature)
    if record is None:
        return None
    return {
        "slot": record.slot,
        "confirmations": None,
        "err": record.error,
        "status": {"Ok": None} if record.error is None else {"Err": record.error},
        "confirmationStatus": "finalized",
    }


def get_signatures_for_address(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(1)
    limit = options.get("limit")
    limit = _SIGNATURES_MAX if limit is None else limit
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _SIGNATURES_MAX:
        raise wrong(f"Invalid limit; max {_SIGNATURES_MAX}")
    listed = chain.by_account.get(parameters.address(0), [])
    end = _place(listed, options.get("before"), len(listed))
    start = _place(listed, options.get("until"), -1) + 1
    newest_first = listed[max(start, end - limit) : end][::-1]
    records = [chain.history[one] for one in newest_first]
    return [
        {
            "signature": str(record.signature),
            "slot": record.slot,
            "err": record.error,
            "memo": None,
            "blockTime": record.block_time,
            "confirmationStatus": "finalized",
        }
        for record in records
    ]


def _place(listed: list[Signature], text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        return listed.index(to_signature(text))
    except ValueError:
        return default


def get_fee_for_message(chain: Chain, parameters: Parameters) -> Any:
    try:
        message = from_bytes_versioned(base64.b64decode(parameters.text(0)))
    except Exception as error:  # solders raises its own and Rust's
        raise wrong(f"failed to deserialize a message: {error}") from None
    if not chain.is_blockhash_valid(message.recent_blockhash):
        return in_context(chain, None)
    return in_context(chain, fee_lamports(message))


def fee_lamports(message: Message | MessageV0) -> int:
    """Base fee of every signature plus the priority fee that the message offers."""
    limit, price, others = None, 0, 0
    for one in message.instructions:
        if message.account_keys[one.program_id_index] != COMPUTE_BUDGET:
            others += 1
        elif one.data[:1] == b"\x02":
            limit = int.from_bytes(one.data[1:5], "little")
        elif one.data[:1] == b"\x03":
            price = int.from_bytes(one.data[1:9], "little")
    units = min(others * 200_000 if limit is None else limit, 1_400_000)
    priority = -(-units * price // _MICRO)
    return message.header.num_required_signatures * _SIGNATURE_FEE_LAMPORTS + priority


def request_airdrop(chain: Chain, parameters: Parameters) -> Any:
    done = chain.airdrop(parameters.address(0), parameters.integer(1, high=2**53))
    if isinstance(done, Refused):
        raise RpcError(INTERNAL_ERROR, f"airdrop request failed: {describe(done.error)}")
    return str(done.signature)


def _account_after(
    chain: Chain, address: Pubkey, after: dict[Pubkey, Account], encoding: str
) -> Any:
    return encode_account(after.get(address) or chain.account(address), encoding)


def _simulated(error: Any, meta: TransactionMetadata | None) -> dict[str, Any]:
    """The result of a simulation, as nodes give it after a preflight and on request."""
    returned = return_data(meta).get("returnData") if meta is not None else None
    return {
        "accounts": None,
        "err": error,
        "innerInstructions": None,
        "loadedAccountsDataSize": 0,
        "logs": meta.logs() if meta is not None else [],
        "returnData": returned,
        "unitsConsumed": meta.compute_units_consumed() if meta is not None else 0,
    }
