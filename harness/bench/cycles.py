"""How much of the raw virtual machine's speed is left for whole life cycles over HTTP.

A cycle is mint, reveal, quote, request, sign, confirm: a player who speaks to the backend over a
socket, the backend with its database, the ledger behind it. Afterwards the very same transactions
are put straight into a fresh virtual machine, which must come to the same balances; the ratio of
the two rates is the figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.bench.replay import replay
from harness.ledger.embedded import EmbeddedLedger
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
            raw = replay(bed.ledger.chain, bed.authority_key.pubkey())[first:]
    finally:
        session.close()
    early = median(seconds[EARLY_CYCLE : EARLY_CYCLE + _WINDOW])
    late = median(seconds[-_WINDOW:])
    over_http = cycles / sum(seconds)
    raw_a_second = cycles / sum(raw)
    return CycleFigures(
        cycles=cycles,
        over_http_a_second=over_http,
        raw_a_second=raw_a_second,
        ratio=over_http / raw_a_second,
        early_ms=early * 1000,
        late_ms=late * 1000,
        cost_ratio=late / early,
    )
