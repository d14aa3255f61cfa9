"""Transactions that share a slot are put into the order of their block."""

from __future__ import annotations

import pytest
from solana.rpc.commitment import Confirmed
from solders.signature import Signature

from harness.checks.order import in_order
from harness.errors import HarnessError
from harness.ledger.embedded import EmbeddedLedger


class _Blocks:
    """A ledger's blocks, by slot. Stands in for the wire only: the embedded ledger never puts two
    transactions into a slot."""

    def __init__(self, blocks: dict[int, list[Signature]]) -> None:
        self._blocks = blocks
        self._provider = self

    def make_request(self, request, parser):
        slot = int(request.slot)
        found = self._blocks[slot]
        from solders.hash import Hash
        from solders.rpc.responses import GetBlockResp
        from solders.transaction_status import UiConfirmedBlock

        if not found:
            return GetBlockResp(None)
        block = UiConfirmedBlock(Hash.default(), Hash.default(), slot, signatures=found)
        return GetBlockResp(block)


def _signature(number: int) -> Signature:
    return Signature(bytes([number]) * 64)


def test_the_block_decides_within_a_slot() -> None:
    one, two, three, other = map(_signature, (1, 2, 3, 4))
    client = _Blocks({5: [three, other, one]})
    assert in_order(client, {one: 5, two: 4, three: 5}) == [two, three, one]


def test_a_block_that_cannot_be_had_is_no_guess() -> None:
    client = _Blocks({5: []})
    with pytest.raises(HarnessError, match="block of slot 5"):
        in_order(client, {_signature(1): 5, _signature(2): 5})


def test_the_embedded_ledger_shows_its_blocks_signatures() -> None:
    from solders.keypair import Keypair

    from harness.checks.order import _signatures_of

    with EmbeddedLedger.start() as ledger:
        address = Keypair().pubkey()
        ledger.fund(address, 10**9)
        entry = ledger.client().get_signatures_for_address(address, commitment=Confirmed).value[0]
        assert _signatures_of(ledger.client(), entry.slot) == [entry.signature]
