"""Methods that say where the chain is and who serves it."""

from __future__ import annotations

from typing import Any

from solders.hash import Hash, ParseHashError

from harness.ledger.embedded.chain import FIRST_SLOT, SLOTS_PER_EPOCH, Chain
from harness.ledger.embedded.methods.accounts import in_context
from harness.ledger.embedded.parameters import Parameters, wrong
from harness.ledger.embedded.rpc_error import RpcError

_BLOCK_NOT_AVAILABLE = -32004


def get_latest_blockhash(chain: Chain, _: Parameters) -> Any:
    blockhash, last_height = chain.latest_blockhash()
    return in_context(chain, {"blockhash": str(blockhash), "lastValidBlockHeight": last_height})


def is_blockhash_valid(chain: Chain, parameters: Parameters) -> Any:
    try:
        blockhash = Hash.from_string(parameters.text(0))
    except ParseHashError:
        raise wrong("Invalid: WrongSize") from None
    return in_context(chain, chain.is_blockhash_valid(blockhash))


def get_slot(chain: Chain, _: Parameters) -> Any:
    return chain.slot


def get_block_height(chain: Chain, _: Parameters) -> Any:
    return chain.slot  # no slot is ever skipped


def get_block_time(chain: Chain, parameters: Parameters) -> Any:
    slot = parameters.integer(0)
    if not FIRST_SLOT <= slot <= chain.slot:
        raise RpcError(_BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    return chain.block_time(slot)


def get_epoch_info(chain: Chain, _: Parameters) -> Any:
    return {
        "absoluteSlot": chain.slot,
        "blockHeight": chain.slot,
        "epoch": chain.slot // SLOTS_PER_EPOCH,
        "slotIndex": chain.slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": chain.transactions_seen,
    }


def get_transaction_count(chain: Chain, _: Parameters) -> Any:
    return chain.transactions_seen


def get_version(_: Chain, __: Parameters) -> Any:
    return {"solana-core": "3.1.12", "feature-set": 0}


def get_health(_: Chain, __: Parameters) -> Any:
    return "ok"


def get_genesis_hash(chain: Chain, _: Parameters) -> Any:
    return str(chain.blockhash(0))


def get_identity(chain: Chain, _: Parameters) -> Any:
    return {"identity": str(chain.faucet.pubkey())}


def get_first_available_block(_: Chain, __: Parameters) -> Any:
    return FIRST_SLOT


def get_recent_prioritization_fees(chain: Chain, _: Parameters) -> Any:
    return [{"slot": chain.slot, "prioritizationFee": 0}]
