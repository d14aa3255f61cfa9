"""`simulate`: play many paths of a scenario and say what came of them.

The work is cut into blocks (`harness.treasury.engine`), handed out (`harness.treasury.workers`)
and summed up (`harness.treasury.summary`) in order. With a checkpoint file it can be stopped at
any time and goes on where it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from harness.errors import UsageError
from harness.treasury.engine import block_paths
from harness.treasury.result import Result
from harness.treasury.scenario import Scenario
from harness.treasury.summary import Summary, load, save, summarise_block
from harness.treasury.workers import in_order

PATHS_MAX = 10**9
_SAVE_SECONDS = 5.0
_ARRAYS = 8  # float64[paths, steps] that a block of the full kernel has at its fullest
_MEMORY_SHARE = 0.6

Progress = Callable[[int, int], None]


def simulate(
    scenario: Scenario,
    *,
    paths: int = 10_000,
    seed: int = 0,
    workers: int = 1,
    dask: str | None = None,
    antithetic: bool = False,
    checkpoint: Path | None = None,
    progress: Progress = lambda done, wanted: None,
) -> Result:
    """Play `paths` paths and sum them up.

    The same scenario, seed, number of paths and `antithetic` give the same result, to the bit,
    whatever `workers` and `dask` are. `progress(done, wanted)` is called after each block.
    `checkpoint` is written every few seconds and read again at the start, where it belongs to the
    same question. On Ctrl-C the blocks that are done are kept: the result says `interrupted`; if
    none is, KeyboardInterrupt goes on.

    Raises UsageError before any work if a number cannot be or memory would not suffice,
    StartError if a Dask scheduler does not answer.
    """
    check_plan(scenario, paths, seed, workers)
    size = block_paths(scenario)
    total, question = Summary.empty(scenario), _question(scenario, seed, size, antithetic)
    if checkpoint is not None and checkpoint.exists():
        total = _resume(checkpoint, question, scenario, paths)
    first = total.paths // size
    pieces = [
        (scenario, seed, block, min(size, paths - block * size), antithetic)
        for block in range(first, -(-paths // size))
    ]
    interrupted = False
    saved = time.monotonic()
    progress(total.paths, paths)
    try:
        for summary in in_order(summarise_block, pieces, workers=workers, dask=dask):
            total.merge(summary)
            progress(total.paths, paths)
            if checkpoint is not None and time.monotonic() - saved > _SAVE_SECONDS:
                _save(total, checkpoint, question, size)
                saved = time.monotonic()
    except KeyboardInterrupt:
        if total.paths == 0:
            raise
        interrupted = True
    if checkpoint is not None:
        _save(total, checkpoint, question, size)
    return Result(scenario, seed, paths, antithetic, interrupted, total)


def check_plan(scenario: Scenario, paths: int, seed: int, workers: int) -> None:
    """Raise UsageError if a number cannot be or the work would not fit into memory."""
    if not 1 <= paths <= PATHS_MAX:
        raise UsageError(f"paths: must be 1..{PATHS_MAX}, is {paths}")
    if not 0 <= seed < 2**128:
        raise UsageError(f"seed: must be from 0 and below 2^128, is {seed}")
    check_memory(scenario, workers)


def check_memory(scenario: Scenario, workers: int, paths: int | None = None) -> None:
    """Raise UsageError if the blocks that are in work at once, of `paths` paths each (default: as
    `simulate` plays), would not fit."""
    if scenario.is_base:
        return
    needed = (paths or block_paths(scenario)) * scenario.steps * 8 * _ARRAYS * workers
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there * _MEMORY_SHARE:
        raise UsageError(
            f"{scenario.steps} steps with {workers} workers need {needed / 2**30:.1f} GiB, this "
            f"machine has {there / 2**30:.1f}: take fewer workers, fewer days or a longer step"
        )


def _question(scenario: Scenario, seed: int, size: int, antithetic: bool) -> str:
    return f"{scenario.digest()} seed {seed} blocks of {size} antithetic {antithetic}"


def _save(total: Summary, checkpoint: Path, question: str, size: int) -> None:
    """Only whole blocks can be gone on from; a last block that is cut short ends the run anyway."""
    try:
        save(total, checkpoint, question=question, block_paths=str(size))
    except OSError as error:
        raise UsageError(f"{checkpoint}: cannot be written ({error.strerror})") from None


def _resume(checkpoint: Path, question: str, scenario: Scenario, paths: int) -> Summary:
    try:
        total, notes = load(checkpoint)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"{checkpoint}: is not a checkpoint ({error}); remove it to start anew"
        ) from None
    if notes.get("question") != question:
        raise UsageError(
            f"{checkpoint}: belongs to another scenario or seed; remove it or name another file"
        )
    if total.paths > paths:
        raise UsageError(f"{checkpoint}: has {total.paths} paths already, {paths} were asked for")
    if total.paths < paths and total.paths % block_paths(scenario):
        raise UsageError(
            f"{checkpoint}: ends within a block and cannot be gone on from; remove it to start anew"
        )
    return total
