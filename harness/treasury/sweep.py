"""Many scenarios, or ever better answers, one after another: what is done is kept on Ctrl-C.

Everything that plays more than one scenario goes through here: `results_of` plays them with one
crew, all blocks in one queue, and `keep_done` collects what comes until it ends or somebody stops
it. A search is the same, with each row a better answer than the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from harness.treasury.engine import block_paths
from harness.treasury.result import Result
from harness.treasury.scenario import Scenario
from harness.treasury.simulation import check_plan
from harness.treasury.summary import Summary, summarise_block
from harness.treasury.workers import Crew

T = TypeVar("T")
Progress = Callable[[int, int], None]


class Done(list[T]):
    """The rows that are done, in order; all that were wanted unless `interrupted`."""

    interrupted: bool = False


def keep_done(
    rows: Iterable[T], wanted: int, progress: Progress = lambda done, wanted: None
) -> Done[T]:
    """Collect rows. On Ctrl-C those that are done are kept; if none is, KeyboardInterrupt goes on.

    `progress(done, wanted)` is called before the first and after each.
    """
    done: Done[T] = Done()
    try:
        progress(0, wanted)
        for row in rows:
            done.append(row)
            progress(len(done), wanted)
    except KeyboardInterrupt:
        if not done:
            raise
        done.interrupted = True
    return done


def results_of(
    scenarios: Iterable[Scenario], *, paths: int, seed: int, crew: Crew
) -> Iterator[Result]:
    """Each scenario's result, as `simulate` gives it, in order and under the same chance.

    Raises UsageError before any work if a number cannot be or memory would not suffice, StartError
    if a cluster does not answer.
    """
    scenarios = list(scenarios)
    pieces = []
    for scenario in scenarios:
        check_plan(scenario, paths, seed, crew.workers)
        size = block_paths(scenario)
        pieces += [
            (scenario, seed, block, min(size, paths - block * size), False)
            for block in range(-(-paths // size))
        ]
    summaries = crew.in_order(summarise_block, pieces)
    for scenario in scenarios:
        total = Summary.empty(scenario)
        while total.paths < paths:
            total.merge(next(summaries))
        yield Result(scenario, seed, paths, False, False, total)
