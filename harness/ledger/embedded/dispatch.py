"""From a request's bytes to an answer's: the JSON-RPC 2.0 counter.

HTTP, websocket and the in-process transport all come here, so that none can answer differently.
Source: the JSON-RPC 2.0 specification and Solana's RPC documentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.methods import (
    accounts,
    blocks,
    cluster,
    network,
    profiles,
    surfnet,
    tokens,
    transactions,
)
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
    "getLargestAccounts": accounts.get_largest_accounts,
    "getMinimumBalanceForRentExemption": accounts.get_minimum_balance_for_rent_exemption,
    "getMultipleAccounts": accounts.get_multiple_accounts,
    "getProgramAccounts": accounts.get_program_accounts,
    "getSupply": accounts.get_supply,
    "getBlock": blocks.get_block,
    "getBlockCommitment": blocks.get_block_commitment,
    "getBlockProduction": blocks.get_block_production,
    "getBlockTime": blocks.get_block_time,
    "getBlocks": blocks.get_blocks,
    "getBlocksWithLimit": blocks.get_blocks_with_limit,
    "getBlockHeight": cluster.get_block_height,
    "getClusterNodes": cluster.get_cluster_nodes,
    "getEpochInfo": cluster.get_epoch_info,
    "getEpochSchedule": cluster.get_epoch_schedule,
    "getFirstAvailableBlock": cluster.get_first_available_block,
    "getGenesisHash": cluster.get_genesis_hash,
    "getHealth": cluster.get_health,
    "getHighestSnapshotSlot": cluster.get_highest_snapshot_slot,
    "getIdentity": cluster.get_identity,
    "getInflationGovernor": cluster.get_inflation_governor,
    "getInflationRate": cluster.get_inflation_rate,
    "getInflationReward": cluster.get_inflation_reward,
    "getLatestBlockhash": cluster.get_latest_blockhash,
    "getLeaderSchedule": cluster.get_leader_schedule,
    "getMaxRetransmitSlot": cluster.get_slot_constant,
    "getMaxShredInsertSlot": cluster.get_slot_constant,
    "getRecentPerformanceSamples": cluster.get_recent_performance_samples,
    "getRecentPrioritizationFees": cluster.get_recent_prioritization_fees,
    "getSlot": cluster.get_slot,
    "getSlotLeader": cluster.get_slot_leader,
    "getSlotLeaders": cluster.get_slot_leaders,
    "getStakeMinimumDelegation": cluster.get_stake_minimum_delegation,
    "getTransactionCount": cluster.get_transaction_count,
    "getVersion": cluster.get_version,
    "getVoteAccounts": cluster.get_vote_accounts,
    "isBlockhashValid": cluster.is_blockhash_valid,
    "minimumLedgerSlot": cluster.get_first_available_block,
    "getTokenAccountBalance": tokens.get_token_account_balance,
    "getTokenAccountsByDelegate": tokens.get_token_accounts_by_delegate,
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
    "surfnet_cloneProgramAccount": surfnet.clone_program_account,
    "surfnet_exportSnapshot": surfnet.export_snapshot,
    "surfnet_getActiveIdl": network.get_active_idl,
    "surfnet_getLocalSignatures": surfnet.get_local_signatures,
    "surfnet_getProfileResultsByTag": profiles.get_profile_results_by_tag,
    "surfnet_getStreamedAccounts": network.get_streamed_accounts,
    "surfnet_getSurfnetInfo": surfnet.get_surfnet_info,
    "surfnet_getTransactionProfile": profiles.get_transaction_profile,
    "surfnet_offlineAccount": network.offline_account,
    "surfnet_pauseClock": surfnet.pause_clock,
    "surfnet_profileTransaction": profiles.profile_transaction,
    "surfnet_registerIdl": network.register_idl,
    "surfnet_resetAccount": surfnet.reset_account,
    "surfnet_resetNetwork": network.reset_network,
    "surfnet_resumeClock": surfnet.resume_clock,
    "surfnet_setAccount": surfnet.set_account,
    "surfnet_setProgramAuthority": surfnet.set_program_authority,
    "surfnet_setSupply": network.set_supply,
    "surfnet_setTokenAccount": surfnet.set_token_account,
    "surfnet_streamAccount": network.stream_account,
    "surfnet_streamAccounts": network.stream_accounts,
    "surfnet_timeTravel": surfnet.time_travel,
    "surfnet_writeProgram": surfnet.write_program,
}


def dispatch(chain: Chain, body: str | bytes) -> str:
    """Answer one request body: a call or a batch of at most BATCH_MAX."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
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
        if method is None or (not chain.cheats and request["method"].startswith("surfnet_")):
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
