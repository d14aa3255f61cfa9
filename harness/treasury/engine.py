"""Turns a scenario and a block number into played paths.

A block is the unit of work: its paths are drawn from streams that belong to the block and to
nobody else (NumPy's SeedSequence with the block number as spawn key), so that it comes out the
same in whatever process, on whatever machine, in whatever order blocks are done.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from harness.treasury.kernels import full
from harness.treasury.kernels.base import LANES, play_base
from harness.treasury.model import MICRO, Shortfall
from harness.treasury.outcomes import Outcomes, kinds_of, tabulate
from harness.treasury.prices import Gbm
from harness.treasury.prices.process import DAYS_YEAR
from harness.treasury.scenario import Scenario

RECORDED_MAX = 26
_BASE_BLOCK_PATHS = 16_384
_FULL_BLOCK_CELLS = 2**20  # paths x steps of a block of the full kernel
_SHORTFALLS = {
    Shortfall.REFUSE: full.REFUSE,
    Shortfall.PAUSE: full.PAUSE,
    Shortfall.STOP: full.STOP,
}
_NO_CAP = -1


@dataclass(frozen=True)
class Tilt:
    """A change of measure for rare ruin: `price` is added to each normal, outcomes of a step get
    e^(`cost_per_cent` x cents) times more likely."""

    price: float = 0.0
    cost_per_cent: float = 0.0


@dataclass
class Played:
    """What a block brought; rows are paths. Money in lamports."""

    balances: np.ndarray
    lows: np.ndarray
    drawdowns: np.ndarray
    pause_step: np.ndarray
    #: int64[paths, len(full.TOTALS)]; None from the base kernel, which does not count.
    totals: np.ndarray | None = None
    outstanding: np.ndarray | None = None
    log_weights: np.ndarray | None = None
    #: Sum over all steps of first SOL price / SOL price: the control variate of the base model.
    control: np.ndarray | None = None
    needs: np.ndarray | None = None
    #: Sums up to the path's end of the price's normals and of the units to pay.
    travelled: np.ndarray | None = None
    spent: np.ndarray | None = None


def recorded_steps(steps: int) -> np.ndarray:
    """The steps after which balances are written down: the last one, and evenly before it."""
    number = min(steps, RECORDED_MAX)
    return np.unique(np.round(np.linspace(0, steps - 1, number)).astype(np.int64))


def block_paths(scenario: Scenario) -> int:
    """Paths of a block: depends on the scenario only, never on workers or memory."""
    if scenario.is_base:
        return _BASE_BLOCK_PATHS
    return max(64, min(8192, _FULL_BLOCK_CELLS // scenario.steps // 2 * 2))


def play_block(
    scenario: Scenario,
    seed: int,
    block: int,
    paths: int,
    *,
    antithetic: bool = False,
    tilt: Tilt | None = None,
) -> Played:
    """Play one block. Same arguments, same result, to the bit."""
    root = np.random.SeedSequence(entropy=seed, spawn_key=(block,))
    if scenario.is_base:
        return _play_base(scenario, root, paths, antithetic, tilt or Tilt())
    if tilt is not None:
        raise ValueError("only the base model can be tilted")
    sol, oracle, market, table = draw_prices(scenario, root, paths, antithetic)
    return play_full(scenario, root, sol, oracle, market, table)


@dataclass
class Chance:
    """All that is left to chance in paths of the full model: a row a path, a column a step.

    What happens up to a step follows from the columns before it alone, so that a path can be gone
    on from with other columns: `graft`. Shocks, noise and skins act on the move after their step.
    """

    shocks: np.ndarray
    noise: np.ndarray
    skins: np.ndarray
    #: uint64[paths, steps], a stream of people a step; [0, 0] if the block has one for all.
    crowd: np.ndarray

    def take(self, rows: np.ndarray) -> Chance:
        crowd = self.crowd[rows] if len(self.crowd) else self.crowd
        return Chance(self.shocks[rows], self.noise[rows], self.skins[rows], crowd)

    def graft(self, rows: np.ndarray, parents: np.ndarray, steps: np.ndarray, new: Chance) -> None:
        """Make `rows` what their `parents` are up to and with `steps`, and `new` from there on."""
        for mine, other, first in (
            (self.shocks, new.shocks, steps), (self.noise, new.noise, steps),
            (self.skins, new.skins, steps), (self.crowd, new.crowd, steps + 1),
        ):  # fmt: skip
            later = np.arange(mine.shape[1]) >= first[:, None]
            mine[rows] = np.where(later, other, mine[parents])


def draw_chance(
    scenario: Scenario,
    root: np.random.SeedSequence,
    paths: int,
    *,
    antithetic: bool = False,
    by_step: bool = False,
    noise_tilts: np.ndarray | None = None,
) -> Chance:
    """The chance of `paths` paths; `by_step` gives people a stream of their own in each step.
    `noise_tilts`, float64[moves], are for `PriceProcess.noise`."""
    shocks_seed, own_seed, crowd_seed = _children(root, 1, 2, 3)
    rng = np.random.Generator(np.random.PCG64(shocks_seed))
    moves = scenario.steps - 1
    if antithetic:
        half = rng.standard_normal((-(-paths // 2), moves))
        shocks = np.repeat(half, 2, axis=0)[:paths]
        shocks[1::2] *= -1
    else:
        shocks = rng.standard_normal((paths, moves))
    own = np.random.Generator(np.random.PCG64(own_seed))
    noise = scenario.price.noise(own, (paths, moves), scenario.step_days, noise_tilts)
    skins = np.zeros((paths, 0))
    if not scenario.skin_index.is_flat:
        skins = own.standard_normal((paths, moves))
    crowd = np.zeros((0, 0), np.uint64)
    if by_step:
        words = np.random.Generator(np.random.PCG64(crowd_seed))
        crowd = words.integers(0, 2**64, (paths, scenario.steps), np.uint64)
    return Chance(shocks, noise, skins, crowd)


def draw_prices(
    scenario: Scenario, root: np.random.SeedSequence, paths: int, antithetic: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`prices_of` chance that is drawn for it."""
    return prices_of(scenario, draw_chance(scenario, root, paths, antithetic=antithetic))


def prices_of(
    scenario: Scenario, chance: Chance
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """SOL price, oracle reading, market index, table index: float64[paths, steps] each, or [1, 1]
    where the index does not move."""
    sol = scenario.price.follow(chance.shocks, chance.noise, scenario.step_days)
    oracle = scenario.oracle.readings(sol, scenario.step_seconds)
    market = table = np.ones((1, 1))
    if not scenario.skin_index.is_flat:
        market = scenario.skin_index.follow(chance.shocks, chance.skins, scenario.step_days)
        table = market if scenario.skin_index.table_follows else np.ones_like(market)
    return sol, oracle, market, table


def play_full(
    scenario: Scenario,
    root: np.random.SeedSequence,
    sol: np.ndarray,
    oracle: np.ndarray,
    market: np.ndarray,
    table: np.ndarray,
    *,
    tape: tuple[np.ndarray, np.ndarray] | None = None,
    crowd: np.ndarray | None = None,
    claims: np.ndarray | None = None,
) -> Played:
    """Play given prices with the full kernel; `tape` receives every event. People have the block's
    stream, or one a step by `crowd`. With `claims`, which is filled, every step is recorded."""
    (crowd_seed,) = _children(root, 3)
    paths, steps = sol.shape
    templates = scenario.economy.templates
    chances = np.array([float(template.chance) for template in templates])
    holders = scenario.behaviour.holders
    shares = np.array([group.share for group in holders])
    hazards = [group.hazard_day for group in holders]
    columns = np.append(shares, max(0.0, 1 - shares.sum()))
    record = recorded_steps(steps) if claims is None else np.arange(steps)
    slots = np.full(steps, -1, np.int64)
    slots[record] = np.arange(len(record))
    played = Played(
        balances=np.zeros((paths, len(record)), np.int64),
        lows=np.zeros((paths, len(record)), np.int64),
        drawdowns=np.zeros((paths, len(record)), np.int64),
        pause_step=np.zeros(paths, np.int64),
        totals=np.zeros((paths, len(full.TOTALS)), np.int64),
        outstanding=np.zeros((paths, len(templates)), np.int64),
    )
    money, counts = tape or (np.zeros((0, 0, 7), np.int64), np.zeros((0, 0, 0, 4), np.int32))
    full.play(
        crowd_seed.generate_state(4, np.uint64),
        np.zeros((0, 0), np.uint64) if crowd is None else crowd, sol, oracle, market, table,
        np.array([template.price_microusd for template in templates], np.int64),
        _two_ways(chances), _two_ways(columns),
        np.array([*hazards, 0.0, math.inf]),
        scenario.demand.profile(steps, scenario.step_days), slots, knobs(scenario),
        played.balances, played.lows, played.drawdowns, played.pause_step, played.totals,
        played.outstanding, money, counts, np.zeros((0, 0)) if claims is None else claims,
    )  # fmt: skip
    return played


def knobs(scenario: Scenario) -> full.Knobs:
    """A scenario's numbers in the form and units of the full kernel."""
    economy, rules, crowd = scenario.economy, scenario.rules, scenario.behaviour
    step_days = scenario.step_days
    dynamic, top_up, hawkes = rules.dynamic_rate, rules.top_up, scenario.demand.hawkes
    return full.Knobs(
        step_days=step_days,
        supply=economy.supply_items,
        revenue=economy.mint_revenue_lamports,
        mint_cost=float(
            economy.mint_price_lamports
            + economy.mint_overhead_lamports
            - economy.sale_refund_lamports
        ),
        box_microusd=economy.box_usd * MICRO,
        opening=rules.treasury_lamports,
        minimum=rules.treasury_lamports_min,
        resume=rules.resume_lamports,
        shortfall=_SHORTFALLS[rules.on_shortfall],
        reveal_fee=rules.reveal_fee_lamports,
        buyback_fee=rules.buyback_fee_lamports,
        rate_ppm=_ppm(rules.rate),
        rate_low_ppm=_ppm(dynamic.rate_low) if dynamic else -1,
        level_low=dynamic.level_low if dynamic else 0.0,
        level_high=dynamic.level_high if dynamic else 1.0,
        payout_cap=_cap(rules.payout_lamports_max_day, step_days),
        sales_cap=_cap(rules.sales_max_day, step_days),
        top_below=top_up.below_lamports if top_up else 0,
        top_to=top_up.to_lamports if top_up else 0,
        top_budget=top_up.budget_lamports if top_up else 0,
        top_delay=max(1, math.ceil(top_up.delay_days / step_days)) if top_up else 1,
        excite=hawkes.branching if hawkes else 0.0,
        decay=hawkes.decay_day if hawkes else 0.0,
        demand_elasticity=scenario.demand.price_elasticity,
        sense=crowd.price_sensitivity.elasticity if crowd.price_sensitivity else 0.0,
        outside=crowd.price_sensitivity.outside_share if crowd.price_sensitivity else 1.0,
        panic_level=crowd.panic.level if crowd.panic else 1.0,
        panic_factor=crowd.panic.factor if crowd.panic else 1.0,
        arbitrage=crowd.arbitrage.mints_day if crowd.arbitrage else 0.0,
        margin=crowd.arbitrage.margin if crowd.arbitrage else 0.0,
        hunters=crowd.quote_hunters.share if crowd.quote_hunters else 0.0,
        quote_steps=int(rules.quote_life_seconds // scenario.step_seconds),
        whale_rate=crowd.whales.events_day if crowd.whales else 0.0,
        whale_share=crowd.whales.stock_share if crowd.whales else 0.0,
        bot_rate=crowd.bots.mints_day if crowd.bots else 0.0,
        bot_days=crowd.bots.days if crowd.bots else 0.0,
    )


def base_tables(scenario: Scenario, tilt: Tilt) -> Outcomes:
    """The alias tables of a step of a base scenario."""
    kinds = kinds_of(
        scenario.economy, scenario.demand.mints_day, scenario.behaviour.sold_at_once,
        scenario.step_days,
    )  # fmt: skip
    return tabulate(kinds, tilt.cost_per_cent)


def _play_base(
    scenario: Scenario, root: np.random.SeedSequence, paths: int, antithetic: bool, tilt: Tilt
) -> Played:
    (stream_seed,) = _children(root, 0)
    price, rules, steps = scenario.price, scenario.rules, scenario.steps
    assert isinstance(price, Gbm)
    years = scenario.step_days / DAYS_YEAR
    tables = base_tables(scenario, tilt)
    record = recorded_steps(steps)
    slots = np.full(steps, -1, np.int64)
    slots[record] = np.arange(len(record))
    played = Played(
        balances=np.empty((paths, len(record))),
        lows=np.empty((paths, len(record))),
        drawdowns=np.empty((paths, len(record))),
        pause_step=np.empty(paths, np.int64),
        log_weights=np.empty(paths),
        control=np.empty(paths),
        needs=np.empty(paths),
        travelled=np.empty(paths),
        spent=np.empty(paths),
    )
    mean = (price.drift_year - price.volatility_year**2 / 2) * years
    deviation = price.volatility_year * math.sqrt(years)
    # Ten deviations are not drawn in a lifetime; the series is exact to the last bit below 0.25.
    largest = abs(mean) + (10 + abs(tilt.price)) * deviation
    unit_lamports = float(rules.rate) * tables.unit_cents * 1e7 / price.sol_usd
    play_base(
        stream_seed.generate_state(4 * LANES, np.uint64).reshape(4, LANES), paths, steps,
        np.array([
            rules.treasury_lamports, rules.treasury_lamports_min,
            scenario.economy.mint_revenue_lamports - rules.reveal_fee_lamports, unit_lamports,
        ], np.float64),
        np.array([mean, deviation]), max(0, math.ceil(math.log2(max(largest, 1e-9) / 0.25))),
        antithetic,
        np.array([tilt.price, tilt.cost_per_cent * tables.unit_cents, tables.cumulant]),
        tables.limits, tables.pairs, tables.starts, slots,
        played.balances, played.lows, played.drawdowns, played.pause_step,
        played.log_weights, played.control, played.needs, played.travelled,
        played.spent,
    )  # fmt: skip
    return played


def _children(root: np.random.SeedSequence, *numbers: int) -> list[np.random.SeedSequence]:
    """Streams of a block by purpose: 0 base kernel, 1 shocks, 2 the price's own, 3 the crowd."""
    return [
        np.random.SeedSequence(entropy=root.entropy, spawn_key=(*root.spawn_key, number))
        for number in numbers
    ]


def _two_ways(shares: np.ndarray) -> np.ndarray:
    """Row 0: of what is left after those before it, the share of each. Row 1: cumulative."""
    reached = np.cumsum(shares)
    left = 1 - np.concatenate([[0.0], reached[:-1]])
    conditional = np.divide(shares, left, out=np.ones_like(shares), where=left > 1e-15)
    conditional[-1] = 1.0
    reached[-1] = 1.0
    return np.array([np.clip(conditional, 0, 1), reached])


def _ppm(rate: Decimal) -> int:
    return int(rate * MICRO)


def _cap(cap: int | None, step_days: float) -> int:
    """Caps are a day's; a step of several days has those of all of them."""
    return _NO_CAP if cap is None else int(cap * max(1.0, step_days))
