"""Methods that say where the chain is and who serves it."""

from __future__ import annotations

from typing import Any

from solders.hash import Hash, ParseHashError

from harness.ledger.embedded.chain import FIRST_SLOT, SLOT_SECONDS, SLOTS_PER_EPOCH, Chain
from harness.ledger.embedded.methods.context import API_VERSION, in_context, reached
from harness.ledger.embedded.parameters import Options, Parameters, checked_texts, wrong
from harness.ledger.embedded.rpc_error import INVALID_PARAMS, RpcError

FEATURE_SET = 0
_LEADERS_MAX = 5000
_SAMPLES_MAX = 720
_SAMPLE_SECONDS = 60
_FEE_SLOTS = 150
_ACCOUNTS_MAX = 128
_REWARDED_MAX = 5
_SHRED_VERSION = 1


def get_latest_blockhash(chain: Chain, parameters: Parameters) -> Any:
    commitment = reached(chain, parameters.options(0))
    lag = chain.lags.of(commitment)
    blockhash, last_height = chain.latest_blockhash(lag)
    value = {"blockhash": str(blockhash), "lastValidBlockHeight": last_height}
    return in_context(chain, value, commitment)


def is_blockhash_valid(chain: Chain, parameters: Parameters) -> Any:
    try:
        blockhash = Hash.from_string(parameters.text(0))
    except ParseHashError:
        raise wrong("Invalid: WrongSize") from None
    commitment = reached(chain, parameters.options(1))
    return in_context(chain, chain.is_blockhash_valid(blockhash), commitment)


def get_slot(chain: Chain, parameters: Parameters) -> Any:
    return chain.slot_at(reached(chain, parameters.options(0)))


def get_block_height(chain: Chain, parameters: Parameters) -> Any:
    return get_slot(chain, parameters)  # no slot is ever skipped


def get_epoch_info(chain: Chain, parameters: Parameters) -> Any:
    slot = chain.slot_at(reached(chain, parameters.options(0)))
    return {
        "absoluteSlot": slot,
        "blockHeight": slot,
        "epoch": slot // SLOTS_PER_EPOCH,
        "slotIndex": slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": chain.transactions_seen,
    }


def get_epoch_schedule(_: Chain, __: Parameters) -> Any:
    return {
        "slotsPerEpoch": SLOTS_PER_EPOCH,
        "leaderScheduleSlotOffset": SLOTS_PER_EPOCH,
        "warmup": False,
        "firstNormalEpoch": 0,
        "firstNormalSlot": 0,
    }


def get_transaction_count(chain: Chain, parameters: Parameters) -> Any:
    reached(chain, parameters.options(0))
    return chain.transactions_seen


def get_version(_: Chain, __: Parameters) -> Any:
    return {"solana-core": API_VERSION, "feature-set": FEATURE_SET}


def get_health(_: Chain, __: Parameters) -> Any:
    return "ok"


def get_genesis_hash(chain: Chain, _: Parameters) -> Any:
    return str(chain.blockhash(0))


def get_identity(chain: Chain, _: Parameters) -> Any:
    return {"identity": str(chain.faucet.pubkey())}


def get_cluster_nodes(chain: Chain, _: Parameters) -> Any:
    """One node: this one."""
    return [
        {
            "pubkey": str(chain.faucet.pubkey()),
            "gossip": None,
            "tpu": None,
            "tpuQuic": None,
            "rpc": chain.rpc_address,
            "pubsub": chain.rpc_address,
            "version": API_VERSION,
            "featureSet": FEATURE_SET,
            "shredVersion": _SHRED_VERSION,
        }
    ]


def get_vote_accounts(_: Chain, parameters: Parameters) -> Any:
    """Nobody votes here."""
    parameters.options(0).commitment()
    return {"current": [], "delinquent": []}


def get_slot_leader(chain: Chain, parameters: Parameters) -> Any:
    reached(chain, parameters.options(0))
    return str(chain.faucet.pubkey())


def get_slot_leaders(chain: Chain, parameters: Parameters) -> Any:
    parameters.integer(0)
    count = parameters.integer(1)
    if not 1 <= count <= _LEADERS_MAX:
        raise RpcError(INVALID_PARAMS, f"Invalid limit; max {_LEADERS_MAX}")
    return [str(chain.faucet.pubkey())] * count


def get_leader_schedule(chain: Chain, parameters: Parameters) -> Any:
    """Every slot of the epoch is this node's; None for an epoch that has no schedule yet."""
    first = parameters.value(0)
    options = Options(first) if isinstance(first, dict) else parameters.options(1)
    slot = chain.slot if first is None or isinstance(first, dict) else parameters.integer(0)
    if slot // SLOTS_PER_EPOCH > chain.slot // SLOTS_PER_EPOCH + 1:
        return None
    identity, asked = str(chain.faucet.pubkey()), options.get("identity")
    if asked is not None and asked != identity:
        return {}
    return {identity: list(range(SLOTS_PER_EPOCH))}


def get_highest_snapshot_slot(_: Chain, __: Parameters) -> Any:
    raise RpcError(-32008, "No snapshot")


def get_inflation_governor(_: Chain, parameters: Parameters) -> Any:
    """There is no inflation here."""
    parameters.options(0).commitment()
    return {"initial": 0.0, "terminal": 0.0, "taper": 0.0, "foundation": 0.0, "foundationTerm": 0.0}


def get_inflation_rate(chain: Chain, _: Parameters) -> Any:
    epoch = chain.slot // SLOTS_PER_EPOCH
    return {"total": 0.0, "validator": 0.0, "foundation": 0.0, "epoch": epoch}


def get_inflation_reward(_: Chain, parameters: Parameters) -> Any:
    addresses = [] if parameters.value(0) is None else parameters.texts(0, _REWARDED_MAX)
    return [None] * len(addresses)


def get_stake_minimum_delegation(chain: Chain, parameters: Parameters) -> Any:
    return in_context(chain, 1, reached(chain, parameters.options(0)))


def get_slot_constant(chain: Chain, _: Parameters) -> Any:
    """Shreds received and passed on: the present slot's, since there is one node."""
    return chain.slot


def get_recent_performance_samples(chain: Chain, parameters: Parameters) -> Any:
    """Samples of a minute: slots and transactions in each, newest first."""
    limit = parameters.integer(0, _SAMPLES_MAX)
    if limit > _SAMPLES_MAX:
        raise RpcError(INVALID_PARAMS, f"Invalid limit; max {_SAMPLES_MAX}")
    length = int(_SAMPLE_SECONDS / SLOT_SECONDS)
    samples = []
    for end in range(chain.slot - chain.slot % length, 0, -length)[:limit]:
        slots = range(end - length + 1, end + 1)
        count = sum(chain.history.count_in_slot(slot) for slot in slots)
        samples.append(
            {
                "slot": end,
                "numTransactions": count,
                "numNonVoteTransactions": count,
                "numSlots": length,
                "samplePeriodSecs": _SAMPLE_SECONDS,
            }
        )
    return samples


def get_recent_prioritization_fees(chain: Chain, parameters: Parameters) -> Any:
    """The least price per unit of each recent slot's transactions that wrote to the accounts."""
    first = parameters.value(0)
    wanted = set() if first is None else set(checked_texts(first, "parameter 1", _ACCOUNTS_MAX))
    oldest = max(chain.slot - _FEE_SLOTS + 1, FIRST_SLOT)
    return [
        {"slot": slot, "prioritizationFee": chain.least_price(slot, wanted)}
        for slot in range(oldest, chain.slot + 1)
    ]


def get_first_available_block(_: Chain, __: Parameters) -> Any:
    return FIRST_SLOT
