"""In which order a ledger ran its transactions: by slot, and within a slot by place in the block.

A slot is a page of the book, and several lines stand on a page. On the embedded ledger each
transaction has a page of its own; on a validator many share one, and only the block says which
came first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from solana.rpc.api import Client
from solders.commitment_config import CommitmentLevel
from solders.rpc.config import RpcBlockConfig
from solders.rpc.requests import GetBlock
from solders.rpc.responses import GetBlockResp
from solders.signature import Signature
from solders.transaction_status import TransactionDetails, UiConfirmedBlock

from harness.errors import HarnessError


def in_order(client: Client, slots: Mapping[Signature, int]) -> list[Signature]:
    """The signatures, as the ledger ran them. Raises HarnessError if a block cannot be had."""
    places: dict[Signature, int] = {}
    for slot, count in Counter(slots.values()).items():
        if count > 1:
            block = _signatures_of(client, slot)
            places.update((signature, place) for place, signature in enumerate(block))
    return sorted(slots, key=lambda one: (slots[one], places.get(one, 0)))


def _signatures_of(client: Client, slot: int) -> list[Signature]:
    """The signatures of a confirmed block, without its transactions."""
    wanted = RpcBlockConfig(
        transaction_details=TransactionDetails.Signatures,
        rewards=False,
        commitment=CommitmentLevel.Confirmed,
        max_supported_transaction_version=0,
    )
    answer = client._provider.make_request(GetBlock(slot, wanted), GetBlockResp)
    block = answer.value
    if not isinstance(block, UiConfirmedBlock) or block.signatures is None:
        raise HarnessError(
            f"the ledger does not show the block of slot {slot}, which holds several transactions "
            "of this run: their order cannot be told"
        )
    return list(block.signatures)
