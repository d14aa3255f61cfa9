"""How much of the raw virtual machine's speed is left for whole life cycles over HTTP.

A cycle is mint, reveal, quote, request, sign, confirm: a player who speaks to the backend over a
socket, the backend with its database, the ledger behind it. Afterwards the very same transactions
are put straight into a fresh virtual machine, which must come to the same balances; the ratio of
the two rates is the figure.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from solders.pubkey import Pubkey

from harness.errors import HarnessError
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.chain import FAUCET_LAMPORTS, Chain
from harness.ledger.embedded.machine import add_program, add_wallet, new_machine
from harness.ledger.preloaded import program_images
from harness.run.session import RunOptions, RunSession

EARLY_CYCLE = 10
_WINDOW = 50  # cycles around each point, for a steady median


@dataclass(frozen=True)
class CycleFigures:
    """What was measured. Rates are a second; `cost_ratio` is late against early."""

    cycles: int
    over_http_a_second: float
    raw_a_second: float
    ratio: float
    early_ms: float
    late_ms: float
    cost_ratio: float


def measure_cycles(
    cycles: int, folder: Path, seed: str, on_cycle: Callable[[int], None] = lambda _: None
) -> CycleFigures:
    """Play `cycles` whole life cycles, then replay their transactions without anything around.

    Raises HarnessError if the replay does not come to the same balances.
    """
    session = RunSession(RunOptions(seed=seed, folder=folder))
    try:
        with session.testbed("bench", title="whole life cycles") as bed:
            assert isinstance(bed.ledger, EmbeddedLedger)
            player = bed.player(lamports=cycles * 10**9)
            first = len(bed.ledger.chain.history)
            seconds = []
            for number in range(cycles):
                started = time.perf_counter()
                nft = player.mint()
                player.reveal(nft)
                player.sell(nft)
                seconds.append(time.perf_counter() - started)
                on_cycle(number + 1)
            raw_seconds = _replay(bed.ledger.chain, first, bed.authority_key.pubkey())
    finally:
        session.close()
    early = median(seconds[EARLY_CYCLE : EARLY_CYCLE + _WINDOW])
    late = median(seconds[-_WINDOW:])
    over_http = cycles / sum(seconds)
    raw = cycles / raw_seconds
    return CycleFigures(
        cycles=cycles,
        over_http_a_second=over_http,
        raw_a_second=raw,
        ratio=over_http / raw,
        early_ms=early * 1000,
        late_ms=late * 1000,
        cost_ratio=late / early,
    )


def _replay(chain: Chain, first: int, authority: Pubkey) -> float:
    """Seconds that the recorded transactions take from `first` on, put straight into a machine."""
    machine = new_machine()
    add_wallet(machine, chain.faucet.pubkey(), FAUCET_LAMPORTS)
    for image in program_images(authority):
        add_program(machine, image, slot=0)
    machine.set_clock(chain.machine.get_clock())
    records = list(chain.history.values())
    for record in records[:first]:
        machine.send_transaction(record.transaction)
    gc.collect()
    started = time.perf_counter()
    for record in records[first:]:
        machine.send_transaction(record.transaction)
    taken = time.perf_counter() - started
    accounts = {account for record in records for account in record.accounts}
    different = [
        one for one in accounts if (machine.get_balance(one) or 0) != chain.machine.get_balance(one)
    ]
    if different:
        raise HarnessError(f"the replay came to other balances for {len(different)} accounts")
    return taken
