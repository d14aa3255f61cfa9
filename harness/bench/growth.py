"""Whether the ledger slows or swells as it fills: mints that are kept, one after another.

Nothing is sold back, so accounts and history only grow. What the last quarter of the mints cost on
average, housekeeping included, against the first hundred is the figure, and how much memory a
mint leaves behind. Counted in processor time of this process, which other work on the machine
disturbs less than the wall clock; the ledger runs in it, the database does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from time import process_time

from harness.run.session import RunOptions, RunSession

_WINDOW = 100
_WARM_UP_MINTS = 20
_SYSVARS_FULL_SECONDS = 300  # 750 slots: a sysvar holds 512, as on any cluster that runs


@dataclass(frozen=True)
class GrowthFigures:
    """Processor time of a mint early and late, and resident memory; `cost_ratio` is late against
    early."""

    mints: int
    early_ms: float
    late_ms: float
    cost_ratio: float
    early_mib: float
    late_mib: float
    kib_a_mint: float


def measure_growth(
    mints: int, folder: Path, seed: str, on_mint: Callable[[int], None] = lambda _: None
) -> GrowthFigures:
    """Mint `mints` NFTs and keep them."""
    session = RunSession(RunOptions(seed=seed, folder=folder))
    try:
        with session.testbed(
            "growth", title="mints that are kept", changes={"items_available": mints}
        ) as bed:
            player = bed.player(lamports=mints * 10**9)
            bed.clock.sleep(_SYSVARS_FULL_SECONDS)
            seconds = []
            early_mib = 0.0
            for number in range(mints):
                started = process_time()
                player.mint()
                seconds.append(process_time() - started)
                if number == _WARM_UP_MINTS + _WINDOW:
                    early_mib = _resident_mib()
                on_mint(number + 1)
            late_mib = _resident_mib()
    finally:
        session.close()
    early = fmean(seconds[_WARM_UP_MINTS : _WARM_UP_MINTS + _WINDOW])
    late = fmean(seconds[-max(_WINDOW, mints // 4) :])
    counted = mints - _WARM_UP_MINTS - _WINDOW
    return GrowthFigures(
        mints=mints,
        early_ms=early * 1000,
        late_ms=late * 1000,
        cost_ratio=late / early,
        early_mib=early_mib,
        late_mib=late_mib,
        kib_a_mint=(late_mib - early_mib) * 1024 / counted,
    )


def _resident_mib() -> float:
    """Memory of this process that is in use; 0 where the system does not say as Linux does."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
