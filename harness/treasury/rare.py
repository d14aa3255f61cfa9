"""Ruin that plain simulation would hardly see, by the method that suits the scenario.

    importance  base model: `base_tilt`; any other: `path_tilt`, which changes the prices' chance
    splitting   `splitting`, for what prices do not decide
    plain       every path as the model says

`auto` looks for a tilt with a few pilot runs. Where ruin is common anyway it takes plain
simulation, where a tilt makes it common importance sampling, and splitting otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.errors import UsageError
from harness.treasury.base_tilt import find_tilt, weighted_base_block
from harness.treasury.engine import Tilt, block_paths, play_block
from harness.treasury.model import Shortfall
from harness.treasury.path_tilt import PathTilt, find_path_tilt, pilot_paths, weighted_block
from harness.treasury.ruin import Progress, RareRuin, Samples, Wish, sum_up, until_sure
from harness.treasury.scenario import Scenario
from harness.treasury.simulation import check_memory
from harness.treasury.splitting import split_ruin
from harness.treasury.workers import Crew

METHODS = ("auto", "importance", "splitting", "plain")
_BLOCKS_ROUND = 4  # whatever the number of workers, so that it changes nothing


def rare_ruin(
    scenario: Scenario,
    *,
    method: str = "auto",
    seed: int = 0,
    wish: Wish | None = None,
    crew: Crew | None = None,
    progress: Progress = lambda done, wanted: None,
) -> RareRuin:
    """Probability of ruin, as sure as is wished or until the wish's limit on paths.

    The same scenario, method, seed and wish give the same result to the bit, whatever the crew.
    `progress(done, wanted)` counts paths. Ctrl-C keeps what is done.

    Raises UsageError before any long work for an unknown method, for one that cannot do with this
    scenario, and for more steps than memory holds.
    """
    if method not in METHODS:
        raise UsageError(f"method {method!r} is unknown; known: {', '.join(METHODS)}")
    wish, crew = wish or Wish(), crew or Crew()
    check_memory(scenario, crew.workers)
    until_ruin = scenario.change("rules.on_shortfall", Shortfall.STOP)
    if method == "splitting":
        return split_ruin(until_ruin, seed=seed, wish=wish, crew=crew, progress=progress)
    work: Callable[..., Samples] = _plain_block
    tilt: Tilt | PathTilt | None = None
    if method != "plain" and until_ruin.is_base:
        method, work, tilt = "importance", weighted_base_block, find_tilt(until_ruin, seed)
    elif method != "plain":
        check_memory(scenario, 1, pilot_paths(scenario))
        tilt, found = find_path_tilt(until_ruin, seed)
        if not found and method == "importance":
            raise UsageError(
                "importance sampling: no change of the prices makes ruin common in this scenario; "
                "take --method splitting"
            )
        if not found:
            return split_ruin(until_ruin, seed=seed, wish=wish, crew=crew, progress=progress)
        method = "plain" if tilt == PathTilt() else "importance"
        work = _plain_block if tilt == PathTilt() else weighted_block
    paths = block_paths(until_ruin)
    return until_sure(
        method, work, lambda block: (until_ruin, seed, block, paths, tilt), wish,
        crew=crew, round_pieces=_BLOCKS_ROUND, progress=progress,
    )  # fmt: skip


def _plain_block(scenario: Scenario, seed: int, block: int, paths: int, _: object) -> Samples:
    played = play_block(scenario, seed, block, paths)
    return sum_up((played.pause_step < scenario.steps).astype(np.float64), paths)
