"""Rare ruin of any scenario, by splitting: the paths that come closest go on from there again.

As in a hurdle race in which whoever falls starts once more from a hurdle that somebody else has
taken. Adaptive multilevel splitting (Cérou and Guyader 2007) in the form for Markov chains of
Bréhier, Gazeau, Goudenège, Lelièvre and Rousset 2016 (Annals of Applied Probability 26): each round
drops the half of the paths whose highest score is lowest and puts clones of the others in their
place, which follow their parent until it passed that score and have chance of their own from there
on. The product of the shares that stayed, times the share of ruined paths at the end, estimates the
probability of ruin without bias whatever the score is; a bad score costs paths, not truth.

Nothing of the model has to be saved to clone a path: it is played again from the parent's chance
(`engine.Chance`) with other columns behind the step. So every price law, behaviour, oracle fault
and rule can be split, whatever it remembers.
"""

from __future__ import annotations

import math

import numpy as np

from harness.treasury.engine import Chance, draw_chance, play_full, prices_of
from harness.treasury.model import LAMPORTS_PER_SOL, Shortfall
from harness.treasury.ruin import Progress, RareRuin, Samples, Wish, until_sure
from harness.treasury.scenario import Scenario
from harness.treasury.simulation import check_memory
from harness.treasury.workers import Crew

_PATHS_MAX = 2_048
_PATHS_MIN = 64
_CELLS = 2**18  # paths x steps of a race
_ROUNDS_MAX = 64  # halvings: a probability of 10^-19
_RACES_ROUND = 8  # whatever the number of workers, so that it changes nothing
_HORIZONS = 4
#: The pilot that measures volatility has this block number, so that no stream is used twice.
_PILOT_BLOCK = 10**9
_PILOT_PATHS = 64


def split_ruin(
    scenario: Scenario,
    *,
    seed: int = 0,
    wish: Wish | None = None,
    crew: Crew | None = None,
    progress: Progress = lambda done, wanted: None,
) -> RareRuin:
    """Probability of ruin by independent races of a fixed size: their mean, Student's interval.

    The same seed gives the same result for any crew. Raises UsageError for more steps than memory
    holds.
    """
    wish, crew = wish or Wish(), crew or Crew()
    paths = max(_PATHS_MIN, min(_PATHS_MAX, _CELLS // scenario.steps))
    check_memory(scenario, crew.workers, paths)
    until_ruin = scenario.change("rules.on_shortfall", Shortfall.STOP)
    variance_day = _variance_day(until_ruin, seed)
    return until_sure(
        "splitting", run_race, lambda race: (until_ruin, seed, race, paths, variance_day), wish,
        crew=crew, round_pieces=_RACES_ROUND, progress=progress,
    )  # fmt: skip


def run_race(scenario: Scenario, seed: int, race: int, paths: int, variance_day: float) -> Samples:
    """One unbiased estimate of the probability of ruin: a single sample.

    The scenario must stop at its first shortfall: what comes after decides nothing.
    """
    root = np.random.SeedSequence(entropy=seed, spawn_key=(race,))
    picks = np.random.Generator(np.random.PCG64(_child(root, 0)))
    chance = draw_chance(scenario, root, paths, by_step=True)
    scores = _scores(scenario, root, chance, variance_day)
    value, played = 1.0, paths
    for round_ in range(1, _ROUNDS_MAX + 1):
        highest = scores.max(axis=1)
        bar = np.partition(highest, paths // 2 - 1)[paths // 2 - 1]
        if math.isinf(bar):
            break
        fallen = np.flatnonzero(highest <= bar)
        standing = np.flatnonzero(highest > bar)
        value *= len(standing) / paths
        if len(standing) == 0:
            break
        parents = picks.choice(standing, len(fallen))
        passed = (scores[parents] > bar).argmax(axis=1)
        again = _child(root, round_)
        fresh = draw_chance(scenario, again, len(fallen), by_step=True)
        chance.graft(fallen, parents, passed, fresh)
        scores[fallen] = _scores(scenario, again, chance.take(fallen), variance_day)
        played += len(fallen)
    value *= float(np.isposinf(scores.max(axis=1)).mean())
    return Samples(1, value, value**2, played, paths)


def _child(root: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Streams of a race's rounds, apart from those that `draw_chance` makes of the root."""
    return np.random.SeedSequence(entropy=root.entropy, spawn_key=(*root.spawn_key, 100, number))


def _variance_day(scenario: Scenario, seed: int) -> float:
    """Variance of the logarithm of the oracle's price a day, from a pilot: scales the score."""
    root = np.random.SeedSequence(entropy=seed, spawn_key=(_PILOT_BLOCK,))
    sol, *_ = prices_of(scenario, draw_chance(scenario, root, _PILOT_PATHS))
    if scenario.steps < 2:
        return 0.0
    return float(np.diff(np.log(sol), axis=1).var(axis=0).mean()) / scenario.step_days


def _scores(
    scenario: Scenario, root: np.random.SeedSequence, chance: Chance, variance_day: float
) -> np.ndarray:
    """How near to ruin every path is after every step: float64[paths, steps]; infinite from ruin.

    By how many standard deviations the logarithm of what people will ask for would have to grow to
    be as much as what will be there, if prices and people stayed as they are; the largest over a
    few horizons. People ask in dollars and are paid in SOL, so the price of SOL is most of it.
    """
    sol, oracle, market, table = prices_of(scenario, chance)
    steps, step_days = scenario.steps, scenario.step_days
    claims = np.zeros(sol.shape)
    played = play_full(
        scenario, root, sol, oracle, market, table, crowd=chance.crowd, claims=claims
    )
    economy, rules, crowd = scenario.economy, scenario.rules, scenario.behaviour
    headroom = (played.balances - rules.treasury_lamports_min).astype(np.float64)
    lamports_usd = float(rules.rate) * LAMPORTS_PER_SOL / oracle
    scale = np.broadcast_to(table, sol.shape)
    planned = scenario.demand.profile(steps, step_days) * step_days
    if crowd.bots is not None:
        planned = planned + crowd.bots.mints_day * step_days * (
            np.arange(steps) * step_days < crowd.bots.days
        )
    minted = np.minimum(np.concatenate([[0.0], np.cumsum(planned)]), economy.supply_items)
    squares = float(sum(t.chance * t.price_microusd**2 for t in economy.templates)) / 1e12
    now = np.arange(1, steps + 1)
    worst = np.full(sol.shape, -np.inf)
    for halving in range(_HORIZONS):
        ahead = np.maximum(np.ceil((steps - now) / 2**halving), 0).astype(np.int64)
        days = np.maximum(ahead * step_days, 1e-9)
        boxes = minted[now + ahead] - minted[now]
        sold = sum(group.share * -np.expm1(-group.hazard_day * days / 2) for group in crowd.holders)
        usd = boxes * sold * economy.box_usd * scale + claims / 1e6 * (ahead / (steps - now + 1e-9))
        arbitrage = np.zeros(sol.shape)
        if crowd.arbitrage is not None:
            pays = economy.box_usd * scale * lamports_usd > economy.mint_price_lamports
            arbitrage = np.where(pays, crowd.arbitrage.mints_day * days, 0.0)
            usd += arbitrage * economy.box_usd * scale
        income = headroom + (boxes + arbitrage) * economy.mint_revenue_lamports
        asked = usd * lamports_usd
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = variance_day * days / 3 + squares / economy.box_usd / np.maximum(usd, 1e-9)
            score = np.log(asked / np.maximum(income, 1.0)) / np.sqrt(spread)
        np.fmax(worst, score, out=worst)
    ruined = np.arange(steps) >= played.pause_step[:, None]
    return np.where(ruined, np.inf, np.nan_to_num(worst, nan=-1e300, posinf=1e300, neginf=-1e300))
