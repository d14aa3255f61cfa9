"""What every answer has around it: the slot at which it holds, and whether that is late enough."""

from __future__ import annotations

from typing import Any

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.commitment import Commitment
from harness.ledger.embedded.parameters import Options
from harness.ledger.embedded.rpc_error import MIN_CONTEXT_SLOT_NOT_REACHED, RpcError

API_VERSION = "3.1.12"


def in_context(
    chain: Chain, value: Any, commitment: Commitment = Commitment.PROCESSED
) -> dict[str, Any]:
    """A value with the slot at which it is true."""
    return {
        "context": {"slot": chain.slot_at(commitment), "apiVersion": API_VERSION},
        "value": value,
    }


def reached(chain: Chain, options: Options) -> Commitment:
    """The level a call asks for. Raises RpcError if it has not come to the call's
    `minContextSlot`."""
    commitment = options.commitment()
    least = options.integer("minContextSlot")
    slot = chain.slot_at(commitment)
    if least is not None and slot < least:
        raise RpcError(
            MIN_CONTEXT_SLOT_NOT_REACHED,
            "Minimum context slot has not been reached",
            {"contextSlot": slot},
        )
    return commitment
