"""From a request's bytes to an answer's: the JSON-RPC 2.0 counter.

HTTP, websocket and the in-process transport all come here, so that none can answer differently.
Source: the JSON-RPC 2.0 specification and Solana's RPC documentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.methods import accounts, cluster, tokens, transactions
from harness.ledger.embedded.parameters import Parameters
from harness.ledger.embedded.rpc_error import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
)

Method = Callable[[Chain, Parameters], Any]

BATCH_MAX = 100

METHODS: dict[str, Method] = {
    "getAccountInfo": accounts.get_account_info,
    "getBalance": accounts.get_balance,
    "getMinimumBalanceForRentExemption": accounts.get_minimum_balance_for_rent_exemption,
    "getMultipleAccounts": accounts.get_multiple_accounts,
    "getProgramAccounts": accounts.get_program_accounts,
    "getBlockHeight": cluster.get_block_height,
    "getBlockTime": cluster.get_block_time,
    "getEpochInfo": cluster.get_epoch_info,
    "getFirstAvailableBlock": cluster.get_first_available_block,
    "getGenesisHash": cluster.get_genesis_hash,
    "getHealth": cluster.get_health,
    "getIdentity": cluster.get_identity,
    "getLatestBlockhash": cluster.get_latest_blockhash,
    "getRecentPrioritizationFees": cluster.get_recent_prioritization_fees,
    "getSlot": cluster.get_slot,
    "getTransactionCount": cluster.get_transaction_count,
    "getVersion": cluster.get_version,
    "isBlockhashValid": cluster.is_blockhash_valid,
    "getTokenAccountBalance": tokens.get_token_account_balance,
    "getTokenAccountsByOwner": tokens.get_token_accounts_by_owner,
    "getTokenLargestAccounts": tokens.get_token_largest_accounts,
    "getTokenSupply": tokens.get_token_supply,
    "getFeeForMessage": transactions.get_fee_for_message,
    "getSignatureStatuses": transactions.get_signature_statuses,
    "getSignaturesForAddress": transactions.get_signatures_for_address,
    "getTransaction": transactions.get_transaction,
    "requestAirdrop": transactions.request_airdrop,
    "sendTransaction": transactions.send_transaction,
    "simulateTransaction": transactions.simulate_transaction,
}


def dispatch(chain: Chain, body: str | bytes) -> str:
    """Answer one request body: a call or a batch of at most BATCH_MAX."""
    try:
        request = json.loads(body)
    except ValueError:
        return _dump(_error(None, RpcError(PARSE_ERROR, "Parse error")))
    if isinstance(request, list):
        if not 1 <= len(request) <= BATCH_MAX:
            reason = f"Invalid request: a batch has 1 to {BATCH_MAX} calls"
            return _dump(_error(None, RpcError(INVALID_REQUEST, reason)))
        return _dump([call(chain, one) for one in request])
    return _dump(call(chain, request))


def call(chain: Chain, request: Any) -> dict[str, Any]:
    """Answer one call."""
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return _error(None, RpcError(INVALID_REQUEST, "Invalid request"))
    number = request.get("id")
    values = request.get("params")
    if values is None:
        values = []
    try:
        if not isinstance(values, list):
            raise RpcError(INVALID_PARAMS, "Invalid params: expected a list")
        method = METHODS.get(request["method"])
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"Method not found: {request['method'][:64]}")
        with chain.lock:
            chain.sync()
            result = method(chain, Parameters(values))
    except RpcError as error:
        return _error(number, error)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"Invalid params: {type(error).__name__}: {error}"
        return _error(number, RpcError(INVALID_PARAMS, reason[:200]))
    except Exception as error:  # never a crash: the caller gets an answer
        return _error(number, RpcError(INTERNAL_ERROR, f"Internal error: {type(error).__name__}"))
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": error.as_json()}


def _dump(answer: Any) -> str:
    return json.dumps(answer, separators=(",", ":"))
