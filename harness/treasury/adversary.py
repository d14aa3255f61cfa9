"""A rational adversary: the most profitable way to play against a set of rules.

A chess player who sees the whole board. They know the market's price, read the backend's, and
choose when to mint, how long to keep open quotes and when to sell. What they do is one of a family
of threshold strategies; the best one on simulated paths is their best response, and what it earns a
day is what a rule set gives away.

Boxes are counted in expectation (an adversary with many boxes): payout per box is
rate x E[skin USD] / oracle, and a box bought costs its price and overhead in SOL. Profits are in
USD at the market's price of the moment. The treasury's headroom limits what can be paid.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import UsageError
from harness.treasury.engine import draw_prices
from harness.treasury.intervals import Estimate, mean
from harness.treasury.model import LAMPORTS_PER_SOL
from harness.treasury.scenario import SECONDS_DAY, Scenario
from harness.treasury.sweep import Progress, keep_done

_CELLS_MAX = 2**25  # paths x steps: a dozen such arrays take 3 GiB
_ROUNDS_MAX = 20
_THRESHOLDS_MAX = 50
_NEIGHBOURS = 8  # of a strategy, beside itself


@dataclass(frozen=True)
class Search:
    """How an adversary is searched for: how long and how often they can act, what they can buy a
    day, on how many paths; the first grid of strategies, and how often it is made finer."""

    days: float = 10.0
    step_seconds: float = 300.0
    mints_day_max: float = 100.0
    paths: int = 200
    margins: tuple[float, ...] = (-0.05, 0.0, 0.02, 0.05, 0.1, 0.2)
    sell_below: tuple[float, ...] = (math.inf, 1.0, 0.99, 0.98, 0.95, 0.9)
    rounds: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.days <= 36_500:
            raise UsageError(f"days: must be above 0 and at most 36500, is {self.days}")
        if not 1 <= self.step_seconds <= 30 * SECONDS_DAY:
            raise UsageError(f"step_seconds: must be 1..{30 * SECONDS_DAY}: {self.step_seconds}")
        if not 0 < self.mints_day_max <= 1e6:
            raise UsageError(
                f"mints_day_max: must be above 0 and at most 10^6, is {self.mints_day_max}"
            )
        if not 4 <= self.paths <= 1_000_000:
            raise UsageError(f"paths: must be 4..1000000, is {self.paths}")
        if not 0 <= self.rounds <= _ROUNDS_MAX:
            raise UsageError(f"rounds: must be 0..{_ROUNDS_MAX}, is {self.rounds}")
        for name, least in (("margins", -1.0), ("sell_below", 0.0)):
            values = getattr(self, name)
            if not 1 <= len(values) <= _THRESHOLDS_MAX or not min(values) > least:
                raise UsageError(
                    f"{name}: must be 1..{_THRESHOLDS_MAX} numbers above {least:g}: {values}"
                )

    def within(self, scenario: Scenario) -> Scenario:
        """The scenario over the days and steps that are looked at."""
        return replace(scenario, days=self.days, step_seconds=self.step_seconds)


@dataclass(frozen=True)
class Strategy:
    """When to act.

    Mint while expected payout / cost - 1 exceeds `margin`. Sell everything while the backend's
    reading / market is at most `sell_below` (inf: at once). `keeps_quotes` uses the lowest reading
    of a quote's life instead of the present one.
    """

    margin: float
    sell_below: float
    keeps_quotes: bool

    def __str__(self) -> str:
        when = (
            "sell at once"
            if math.isinf(self.sell_below)
            else f"sell while the oracle is at most {self.sell_below:.3g} of the market"
        )
        quotes = ", keep quotes and use the best" if self.keeps_quotes else ""
        return f"mint while a box brings {1 + self.margin:.3g} of its cost, {when}{quotes}"


@dataclass(frozen=True)
class BestResponse:
    """The best strategy found and what it brings. `tried` strategies were compared."""

    strategy: Strategy
    profit_usd_day: Estimate
    mints_day: float
    tried: int
    break_even_sol_usd: float
    interrupted: bool = False

    @property
    def profitable(self) -> bool:
        """Whether the profit is above 0 beyond doubt at the interval's level."""
        return self.profit_usd_day.low > 0


def mint_cost_sol(scenario: Scenario) -> float:
    """What a box costs who sells it again: price and overhead, less what burning gives back."""
    economy = scenario.economy
    lamports = (
        economy.mint_price_lamports + economy.mint_overhead_lamports - economy.sale_refund_lamports
    )
    return lamports / LAMPORTS_PER_SOL


def payout_ratio(scenario: Scenario, oracle_usd: float) -> float:
    """Expected payout of a box over its cost when the backend reads `oracle_usd` a SOL."""
    if not oracle_usd > 0:
        raise UsageError(f"oracle_usd: must be above 0, is {oracle_usd}")
    payout_sol = float(scenario.rules.rate) * scenario.economy.box_usd / oracle_usd
    return payout_sol / mint_cost_sol(scenario)


def break_even_sol_usd(scenario: Scenario) -> float:
    """Below this reading a mint is worth more than it costs: rate x E[skin USD] / cost in SOL."""
    return float(scenario.rules.rate) * scenario.economy.box_usd / mint_cost_sol(scenario)


def best_response(
    scenario: Scenario,
    search: Search | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    progress: Progress = lambda done, wanted: None,
) -> BestResponse:
    """Search the family of strategies on common paths: a grid, then ever finer around the best.
    Ctrl-C keeps the best so far.

    Half of the paths choose the strategy, the other half say what it earns, so that the figure is
    not flattered by the choice. Raises UsageError for more paths and steps than memory is meant to
    hold, before any is drawn.
    """
    search = search or Search()
    scenario = search.within(scenario)
    if search.paths * scenario.steps > _CELLS_MAX:
        raise UsageError(
            f"adversary: {search.paths} paths of {scenario.steps} steps; at most {_CELLS_MAX} "
            "paths x steps are searched: take fewer paths or days, or a longer step"
        )
    root = np.random.SeedSequence(entropy=seed, spawn_key=(1,))
    sol, oracle, _, table = draw_prices(scenario, root, search.paths)
    scale = np.broadcast_to(table, sol.shape)
    half = search.paths // 2
    board = _Board(scenario, sol[:half], oracle[:half], scale[:half], search.mints_day_max)
    wanted = len(search.margins) * len(search.sell_below) * 2 + _NEIGHBOURS * search.rounds
    tried = keep_done(_tries(board, search), wanted, progress)
    best = tried[-1]
    judge = _Board(scenario, sol[half:], oracle[half:], scale[half:], search.mints_day_max)
    profit, mints = judge.play(best)
    return BestResponse(
        best, mean(profit / scenario.days, level), float(mints.mean()) / scenario.days,
        len(tried), break_even_sol_usd(scenario), tried.interrupted,
    )  # fmt: skip


def _tries(board: _Board, search: Search) -> Iterator[Strategy]:
    """The best strategy after each that is tried: a grid, then rounds of neighbours of the best."""
    worth: dict[Strategy, float] = {}

    def tried(strategies: Iterable[Strategy]) -> Iterator[Strategy]:
        for one in strategies:
            if one not in worth:
                worth[one] = board.worth(one)
                yield max(worth, key=lambda one: worth[one])

    grid = itertools.product(search.margins, search.sell_below, (False, True))
    yield from tried(Strategy(*values) for values in grid)
    step = 0.02
    for _ in range(search.rounds):
        best = max(worth, key=lambda one: worth[one])
        yield from tried(
            replace(best, margin=best.margin + up, sell_below=best.sell_below * (1 + across))
            for up, across in itertools.product((-step, 0, step), repeat=2)
        )
        step /= 2


class _Board:
    """Paths that strategies are tried on."""

    def __init__(
        self,
        scenario: Scenario,
        sol: np.ndarray,
        oracle: np.ndarray,
        scale: np.ndarray,
        mints_day_max: float,
    ) -> None:
        self._scenario = scenario
        self._sol, self._oracle = sol, oracle
        life = int(scenario.rules.quote_life_seconds // scenario.step_seconds)
        self._kept = oracle.copy()
        for back in range(1, min(life, oracle.shape[1] - 1) + 1):
            self._kept[:, back:] = np.minimum(self._kept[:, back:], oracle[:, :-back])
        self._box = float(scenario.rules.rate) * scenario.economy.box_usd * scale
        self._mints_step = mints_day_max * scenario.step_seconds / SECONDS_DAY

    def worth(self, strategy: Strategy) -> float:
        return float(self.play(strategy)[0].mean())

    def play(self, strategy: Strategy) -> tuple[np.ndarray, np.ndarray]:
        """Profit in USD and boxes minted, each float64[paths]."""
        scenario = self._scenario
        economy, rules = scenario.economy, scenario.rules
        paths, steps = self._sol.shape
        headroom = np.full(
            paths, (rules.treasury_lamports - rules.treasury_lamports_min) / LAMPORTS_PER_SOL
        )
        left = np.full(paths, float(economy.supply_items))
        held, profit, minted = np.zeros(paths), np.zeros(paths), np.zeros(paths)
        buy_sol = (economy.mint_price_lamports + economy.mint_overhead_lamports) / LAMPORTS_PER_SOL
        refund_sol = economy.sale_refund_lamports / LAMPORTS_PER_SOL
        revenue_sol = economy.mint_revenue_lamports / LAMPORTS_PER_SOL
        readings = self._kept if strategy.keeps_quotes else self._oracle
        cost = mint_cost_sol(scenario) * (1 + strategy.margin)
        for step in range(steps):
            sol = self._sol[:, step]
            box_sol = self._box[:, step] / readings[:, step]
            payable = headroom - (held + self._mints_step) * box_sol > 0
            mint = np.where((box_sol > cost) & payable, np.minimum(self._mints_step, left), 0.0)
            left -= mint
            minted += mint
            held += mint
            headroom += mint * revenue_sol
            profit -= mint * buy_sol * sol
            willing = readings[:, step] <= strategy.sell_below * sol
            sold = np.where(willing, np.minimum(held, np.maximum(headroom, 0) / box_sol), 0.0)
            held -= sold
            headroom -= sold * box_sol
            profit += sold * (box_sol + refund_sol) * sol
        return profit, minted
