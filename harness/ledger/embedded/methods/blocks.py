"""Methods that read blocks: every slot has one, mostly with one transaction or none."""

from __future__ import annotations

from typing import Any

from harness.ledger.embedded.chain import FIRST_SLOT, Chain
from harness.ledger.embedded.commitment import Commitment
from harness.ledger.embedded.encoding import (
    TRANSACTION_ENCODINGS,
    encode_meta,
    encode_transaction,
    parsed_keys,
    version_of,
)
from harness.ledger.embedded.parameters import Options, Parameters
from harness.ledger.embedded.record import TransactionRecord
from harness.ledger.embedded.rpc_error import (
    BLOCK_NOT_AVAILABLE,
    INVALID_PARAMS,
    UNSUPPORTED_TRANSACTION_VERSION,
    RpcError,
)

_BLOCKS_MAX = 500_000
BLOCK_DETAILS = ("full", "accounts", "signatures", "none")


def get_block(chain: Chain, parameters: Parameters) -> Any:
    slot = parameters.integer(0)
    second = parameters.value(1)
    options = Options({"encoding": second}) if isinstance(second, str) else parameters.options(1)
    commitment = _not_processed(options)
    encoding = options.choice("encoding", TRANSACTION_ENCODINGS, "json")
    details = options.choice("transactionDetails", BLOCK_DETAILS, "full")
    rewards = options.get("rewards")
    newest = options.integer("maxSupportedTransactionVersion")
    _need_block(chain, slot, commitment)
    return encode_block(
        chain, slot, encoding, details, newest, with_rewards=rewards is None or bool(rewards)
    )


def encode_block(
    chain: Chain, slot: int, encoding: str, details: str, newest: int | None, *, with_rewards: bool
) -> dict[str, Any]:
    """A block as `getBlock` gives it."""
    records = chain.history.in_slot(slot)
    block: dict[str, Any] = {
        "previousBlockhash": str(chain.blockhash(slot - 1)),
        "blockhash": str(chain.blockhash(slot)),
        "parentSlot": slot - 1,
        "blockTime": chain.block_time(slot),
        "blockHeight": slot,
    }
    if details == "full":
        block["transactions"] = [encode_in_block(one, encoding, newest) for one in records]
    elif details == "accounts":
        block["transactions"] = [_accounts_only(one, newest) for one in records]
    elif details == "signatures":
        block["signatures"] = [str(one.signature) for one in records]
    if with_rewards:
        block["rewards"] = []
    return block


def encode_in_block(record: TransactionRecord, encoding: str, newest: int | None) -> dict[str, Any]:
    """A transaction with its meta, and its version for those who know versions."""
    encoded = {
        "transaction": encode_transaction(record, encoding),
        "meta": encode_meta(record, encoding == "jsonParsed"),
    }
    return encoded | with_version(record, newest)


def with_version(record: TransactionRecord, newest: int | None) -> dict[str, Any]:
    """The `version` field. Raises RpcError for a version that the caller does not know."""
    version = version_of(record.transaction)
    if newest is not None:
        return {"version": version}
    if version == "legacy":
        return {}
    raise RpcError(
        UNSUPPORTED_TRANSACTION_VERSION,
        f"Transaction version ({version}) is not supported by the requesting client. Please try "
        "the request again with the following configuration parameter: "
        f'"maxSupportedTransactionVersion": {version}',
    )


def _accounts_only(record: TransactionRecord, newest: int | None) -> dict[str, Any]:
    meta = encode_meta(record)
    kept = (
        "err", "status", "fee", "preBalances", "postBalances", "preTokenBalances",
        "postTokenBalances",
    )  # fmt: skip
    return {
        "transaction": {
            "signatures": [str(one) for one in record.transaction.signatures],
            "accountKeys": parsed_keys(record),
        },
        "meta": {name: meta[name] for name in kept},
    } | with_version(record, newest)


def get_blocks(chain: Chain, parameters: Parameters) -> Any:
    start = parameters.integer(0)
    second = parameters.value(1)
    ended = isinstance(second, int)
    options = parameters.options(2 if ended or second is None else 1)
    newest = chain.slot_at(_not_processed(options))
    end = min(parameters.integer(1), newest) if ended else newest
    if end - start > _BLOCKS_MAX:
        raise RpcError(INVALID_PARAMS, f"Slot range too large; max {_BLOCKS_MAX}")
    return list(range(max(start, FIRST_SLOT), end + 1))


def get_blocks_with_limit(chain: Chain, parameters: Parameters) -> Any:
    start, limit = parameters.integer(0), parameters.integer(1)
    if limit > _BLOCKS_MAX:
        raise RpcError(INVALID_PARAMS, f"Limit too large; max {_BLOCKS_MAX}")
    first = max(start, FIRST_SLOT)
    newest = chain.slot_at(_not_processed(parameters.options(2)))
    return list(range(first, min(first + limit, newest + 1)))


def get_block_time(chain: Chain, parameters: Parameters) -> Any:
    slot = parameters.integer(0)
    _need_block(chain, slot, Commitment.PROCESSED)
    return chain.block_time(slot)


def get_block_commitment(chain: Chain, parameters: Parameters) -> Any:
    """Nobody votes, so there is no commitment to count; None, as for a block that is rooted."""
    parameters.integer(0)
    return {"commitment": None, "totalStake": 0}


def get_block_production(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(0)
    commitment = options.commitment()
    span = Options(options.get("range") if isinstance(options.get("range"), dict) else {})
    newest = chain.slot_at(commitment)
    first = span.integer("firstSlot")
    first = FIRST_SLOT if first is None else first
    last = span.integer("lastSlot")
    last = newest if last is None else min(last, newest)
    identity = str(chain.faucet.pubkey())
    count = max(last - first + 1, 0)
    value = {
        "byIdentity": {identity: [count, count]},
        "range": {"firstSlot": first, "lastSlot": last},
    }
    return {"context": {"slot": newest}, "value": value}


def _need_block(chain: Chain, slot: int, commitment: Commitment) -> None:
    if not FIRST_SLOT <= slot <= chain.slot_at(commitment):
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")


def _not_processed(options: Options) -> Commitment:
    commitment = options.commitment()
    if commitment is Commitment.PROCESSED:
        raise RpcError(INVALID_PARAMS, "Method does not support commitment below `confirmed`")
    return commitment
