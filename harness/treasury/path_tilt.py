"""Importance sampling for every scenario: make the prices that ruin likelier, weigh them back.

Prices do not depend on what people do, so chance can be changed where prices are made and nothing
else need know: SOL's shocks get a drift, jumps come more often, the skin index leans. A tilt is a
few numbers for each stretch of the horizon (an early fall costs more than a late one), set by the
cross-entropy method (Rubinstein 1997) from pilot runs: what did those have in common that came
closest to ruin?

A tenth of the paths is drawn without a tilt, some with half of it, and all are weighed as draws
from the mixture (Hesterberg 1995; Owen and Zhou 2000). No weight can then exceed 10, so that a bad
tilt costs at most ten times the paths of plain simulation, and the estimate is unbiased whatever
the tilt is.
A path's weight is that of its chance up to its ruin, not to the horizon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.treasury.engine import Chance, Played, draw_chance, play_full, prices_of
from harness.treasury.kernels.full import TOTALS
from harness.treasury.ruin import Samples, sum_up
from harness.treasury.scenario import Scenario

SEGMENTS = 6
#: Of the paths a tenth is drawn as the model says, the others with a part of the tilt or all of it.
FACTORS = (0.0, 0.5, 1.0)
MIXTURE = (0.1, 0.3, 0.6)
_LEVELS_MAX = 12
_ELITE = 0.1
_RUINED_MIN = 0.005  # of a pilot's paths: a tilt that goes no further has still found ruin
_SHIFT_MAX = 1.0
_ERRORS_MIN = 2.0  # a mean shock nearer to 0 than so many standard errors is taken as 0
_PILOT_CELLS = 2**20
_PILOT_PATHS_MAX, _PILOT_PATHS_MIN = 4_096, 512
#: Blocks of the pilots have numbers from here, so that no stream is used twice.
_PILOT_BLOCK = 10**9
_TOPPED = TOTALS.index("top_up_lamports")

_NONE = (0.0,) * SEGMENTS


@dataclass(frozen=True)
class PathTilt:
    """Of each of `SEGMENTS` equal stretches of the horizon: what is added to SOL's standard normal
    shocks and to the skin index's, and the tilt of the law's own noise (`PriceProcess.noise`)."""

    shocks: tuple[float, ...] = _NONE
    noise: tuple[float, ...] = _NONE
    skins: tuple[float, ...] = _NONE

    def scaled(self, factor: float) -> PathTilt:
        """The same direction, `factor` times as far."""
        return PathTilt(*(
            tuple(factor * one for one in part) for part in (self.shocks, self.noise, self.skins)
        ))  # fmt: skip


def segments(moves: int) -> np.ndarray:
    """The stretch that each move is in: int64[moves]."""
    return np.arange(moves) * SEGMENTS // max(moves, 1)


def draw_tilted(
    scenario: Scenario, root: np.random.SeedSequence, paths: int, tilt: PathTilt
) -> Chance:
    """Chance under a tilt."""
    where = segments(scenario.steps - 1)
    noise_tilts = np.array(tilt.noise)[where] if any(tilt.noise) else None
    chance = draw_chance(scenario, root, paths, noise_tilts=noise_tilts)
    chance.shocks += np.array(tilt.shocks)[where]
    if chance.skins.shape[1]:
        chance.skins += np.array(tilt.skins)[where]
    return chance


def log_ratios(scenario: Scenario, chance: Chance, tilt: PathTilt) -> np.ndarray:
    """Logarithm of tilted over untilted density of the chance that decides what stands up to each
    step: float64[paths, steps]."""
    where = segments(scenario.steps - 1)
    shift, lean = np.array(tilt.shocks)[where], np.array(tilt.skins)[where]
    moves = shift * (chance.shocks - shift / 2)
    if chance.skins.shape[1]:
        moves += lean * (chance.skins - lean / 2)
    if any(tilt.noise):
        own = scenario.price.log_ratio(
            chance.noise, np.array(tilt.noise)[where], scenario.step_days
        )
        if own.shape[1]:
            moves += own
    ratios = np.zeros((len(moves), scenario.steps))
    np.cumsum(moves, axis=1, out=ratios[:, 1:])
    return ratios


def weighted_block(
    scenario: Scenario, seed: int, block: int, paths: int, tilt: PathTilt
) -> Samples:
    """One block of importance sampling of a scenario that stops at its first shortfall."""
    counts = [math.ceil(share * paths) for share in MIXTURE[:-1]]
    counts.append(paths - sum(counts))
    tilts = [tilt.scaled(factor) for factor in FACTORS]
    weights = []
    for part, (number, used) in enumerate(zip(counts, tilts, strict=True)):
        own = np.random.SeedSequence(entropy=seed, spawn_key=(block, 100 + part))
        chance = draw_tilted(scenario, own, number, used)
        played = _play(scenario, own, chance)
        ruined = np.flatnonzero(played.pause_step < scenario.steps)
        weight = np.zeros(number)
        if len(ruined):
            seen = chance.take(ruined)
            place = np.arange(len(ruined)), played.pause_step[ruined]
            ratios = np.stack([log_ratios(scenario, seen, one)[place] for one in tilts])
            shares = np.array(counts)[:, None] / paths
            weight[ruined] = np.exp(-special.logsumexp(ratios, axis=0, b=shares))
        weights.append(weight)
    return sum_up(np.concatenate(weights), counts[0])


def _play(scenario: Scenario, root: np.random.SeedSequence, chance: Chance) -> Played:
    return play_full(scenario, root, *prices_of(scenario, chance))


def pilot_paths(scenario: Scenario) -> int:
    """Paths of a pilot run: fewer where they are long, so that memory holds them."""
    return max(_PILOT_PATHS_MIN, min(_PILOT_PATHS_MAX, _PILOT_CELLS // scenario.steps))


def find_path_tilt(scenario: Scenario, seed: int) -> tuple[PathTilt, bool]:
    """The tilt under which ruin is common, and whether it was found.

    Level by level: a pilot under the present tilt, the tenth of paths that ended with least, what
    their chance was on average, the next tilt. Not found if prices are not what ruins (drawn
    prices, an oracle that looks at none) or pilots get no nearer. Where a tenth is ruined without
    any, the tilt is none.
    """
    tilt, paths, nearest = PathTilt(), pilot_paths(scenario), math.inf
    for level in range(_LEVELS_MAX):
        root = np.random.SeedSequence(entropy=seed, spawn_key=(_PILOT_BLOCK + level,))
        chance = draw_tilted(scenario, root, paths, tilt)
        played = _play(scenario, root, chance)
        ruined = played.pause_step < scenario.steps
        if ruined.mean() >= _ELITE and tilt == PathTilt():
            return tilt, True
        assert played.totals is not None
        left = played.balances[:, -1] - played.totals[:, _TOPPED]
        closeness = np.where(ruined, -np.inf, left)
        bound = float(np.quantile(closeness, _ELITE, method="inverted_cdf"))
        chosen = np.flatnonzero(closeness <= bound)
        ends = np.minimum(played.pause_step, scenario.steps - 1)[chosen]
        chance = chance.take(chosen)
        ratio = log_ratios(scenario, chance, tilt)[np.arange(len(chosen)), ends]
        weights = np.exp(ratio.min() - ratio)
        if bound >= nearest:  # no nearer than the level before: it goes no further
            return tilt, float(ruined.mean()) >= _RUINED_MIN
        nearest, tilt = bound, _common(scenario, chance, ends, weights)
        if tilt == PathTilt():
            return tilt, False
        if math.isinf(bound):
            return tilt, True
    return tilt, False


def _common(scenario: Scenario, chance: Chance, ends: np.ndarray, weights: np.ndarray) -> PathTilt:
    """The tilt whose mean chance in each stretch is that of weighted paths up to their ends."""
    where = segments(scenario.steps - 1)
    alive = (np.arange(len(where)) < ends[:, None]) * weights[:, None]
    inside = np.arange(SEGMENTS)[:, None] == where
    mass = alive @ inside.T  # [paths, segments]: weight x moves
    total = np.maximum(mass.sum(axis=0), 1e-300)

    def means(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted mean of a stretch's moves, and its standard error between paths."""
        sums = (alive * values) @ inside.T
        mean = sums.sum(axis=0) / total
        return mean, np.sqrt(((sums - mean * mass) ** 2).sum(axis=0)) / total

    def shifts(normals: np.ndarray) -> tuple[float, ...]:
        if not normals.shape[1]:
            return _NONE
        mean, error = means(normals)
        kept = np.where(np.abs(mean) > _ERRORS_MIN * error, mean, 0.0)
        return tuple(np.clip(kept, -_SHIFT_MAX, _SHIFT_MAX).tolist())

    shocks, skins, noise = shifts(chance.shocks), shifts(chance.skins), _NONE
    drive = scenario.price.drive(chance.noise)
    if drive.shape[1]:
        mean, _ = means(drive)
        there = mass.sum(axis=0) > 0
        tilts = scenario.price.tilts_for(mean, scenario.step_days)
        noise = tuple(np.where(there, tilts, 0.0).tolist())
    return PathTilt(shocks, noise, skins)
