"""The treasury's part of the validity page: the model against what is known without it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from decimal import Decimal

import numpy as np
from scipy import stats

from harness.treasury import intervals
from harness.treasury.behaviour import Arbitrage, Behaviour, Holders, Panic, Whales
from harness.treasury.control import controlled_mean_loss
from harness.treasury.demand import Demand
from harness.treasury.engine import draw_prices, play_block
from harness.treasury.kernels.full import TOTALS
from harness.treasury.model import (
    LAMPORTS_PER_SOL,
    NEVER_RUINED_LAMPORTS,
    Economy,
    Rules,
    Shortfall,
    Tier,
)
from harness.treasury.oracle import Oracle, OracleKind
from harness.treasury.prices import Gbm, Heston, Merton, SkinIndex
from harness.treasury.rare import rare_ruin
from harness.treasury.ruin import Wish
from harness.treasury.scenario import Scenario
from harness.treasury.simulation import simulate
from harness.treasury.workers import Crew
from harness.validity.parts import Part, PartFunction, markdown_table

Progress = Callable[[str], None]

#: Broadie, Glasserman and Kou 1997: -zeta(1/2) / sqrt(2 pi), the shift of a barrier that is looked
#: at in steps.
_SHIFT = 0.5825971579390106
#: Exact finite-time ruin, exponential claims of mean 5, 5 claims a unit of time, loading 0.3:
#: horizon -> probability for a capital of 1, 2, 3, 4, 5. Output of `INSexactexpfin` in the manual
#: of XploRe's insurance library (P. Mista, 2003).
_PUBLISHED = {
    1.0: (0.61081, 0.56569, 0.52345, 0.48394, 0.44703),
    2.0: (0.66798, 0.62771, 0.58956, 0.55345, 0.51928),
    5.0: (0.71219, 0.67649, 0.64247, 0.61005, 0.57916),
}


def first_passage(seed: int, scale: float, progress: Progress) -> Part:
    """Whether a geometric Brownian price falls below a barrier as often as it should."""
    progress("a price that falls below a barrier")
    rows, passed = [], True
    drift, volatility = 0.1, 0.8
    for barrier in (0.8, 0.6, 0.4):
        scenario = Scenario(price=Gbm(200.0, drift, volatility), days=365)
        hits = number = 0
        for block in range(max(1, round(20 * scale))):
            root = np.random.SeedSequence(entropy=seed, spawn_key=(block,))
            sol, *_ = draw_prices(scenario, root, 2_000)
            hits += int((sol.min(axis=1) < 200 * barrier).sum())
            number += len(sol)
        seen = intervals.share(hits, number, 0.999)
        exact = _passage(
            math.log(barrier) - _SHIFT * volatility / math.sqrt(365),
            drift - volatility**2 / 2, volatility, 364 / 365,
        )  # fmt: skip
        good = seen.low <= exact <= seen.high
        passed &= good
        rows.append((f"{barrier:.0%}", f"{exact:.4f}", f"{seen.value:.4f}",
                     f"{seen.low:.4f} to {seen.high:.4f}", _word(good)))  # fmt: skip
    table = markdown_table(["barrier", "closed form", "simulated", "99.9 % interval", ""], rows)
    return Part(
        "## Treasury: a price below a barrier\n\nDaily geometric Brownian motion, drift 0.1, "
        "volatility 0.8 a year, one year, against the reflection principle with the barrier moved "
        f"for daily looks (Broadie, Glasserman and Kou 1997). Seed {seed}, {number:,} paths.\n\n"
        + table, passed,
    )  # fmt: skip


def _passage(log_barrier: float, mean: float, volatility: float, years: float) -> float:
    """P(a Brownian motion with drift falls to `log_barrier` < 0 within `years`)."""
    spread = volatility * math.sqrt(years)
    reflected = math.exp(2 * mean * log_barrier / volatility**2)
    return float(
        stats.norm.cdf((log_barrier - mean * years) / spread)
        + reflected * stats.norm.cdf((log_barrier + mean * years) / spread)
    )


def ruin_closed_form(seed: int, scale: float, progress: Progress) -> Part:
    """Gambler's ruin: +1 and -1 at Poisson times is ruined with (down / up) ^ (capital + 1)."""
    progress("gambler's ruin")
    rows, passed = [], True
    paths = max(2_000, round(100_000 * scale))
    for capital in (0, 2, 4, 8):
        scenario = _walk(up=3.0, down=2.0, capital=capital, days=100.0, step=0.004)
        seen = simulate(scenario, paths=paths, seed=seed).ruin(level=0.999)
        exact = (2 / 3) ** (capital + 1)
        # Within a step of 0.004 days down and up again is not seen: at most 0.5 %.
        good = seen.low <= exact and seen.high >= exact * 0.995
        passed &= good
        rows.append((capital, f"{exact:.4f}", f"{seen.value:.4f}",
                     f"{seen.low:.4f} to {seen.high:.4f}", _word(good)))  # fmt: skip
    table = markdown_table(["capital", "closed form", "simulated", "99.9 % interval", ""], rows)
    return Part(
        "## Treasury: compound Poisson ruin in closed form\n\nA box that is kept brings 1 SOL, one "
        "that is sold costs 1 SOL net; 3 and 2 of them a day. Lundberg's exponent is log 1.5 and, "
        "because the walk moves by ones, his bound is exact: (2/3)^(capital + 1). Fast kernel, "
        f"steps of 0.004 days over 100 days, seed {seed}, {paths:,} paths.\n\n" + table, passed,
    )  # fmt: skip


def _walk(up: float, down: float, capital: int, days: float, step: float) -> Scenario:
    """The fast kernel as a walk of +1 SOL at rate `up` and -1 SOL at rate `down` a day."""
    return Scenario(
        economy=Economy(
            mint_price_lamports=LAMPORTS_PER_SOL, supply_items=10**9,
            tiers=(Tier("only", Decimal(1), (Decimal(200),)),),
        ),
        rules=Rules(
            rate=Decimal(1), treasury_lamports=capital * LAMPORTS_PER_SOL,
            treasury_lamports_min=0, on_shortfall=Shortfall.STOP,
        ),
        price=Gbm(100.0, 0.0, 0.0), demand=Demand(up + down),
        behaviour=Behaviour((Holders(down / (up + down)),)),
        days=days, step_seconds=step * 86_400,
    )  # fmt: skip


def ruin_table(seed: int, scale: float, progress: Progress) -> Part:
    """A published table of finite-time ruin, played by the fast kernel."""
    rows, passed = [], True
    paths = max(1_000, round(60_000 * scale))
    for horizon, published in _PUBLISHED.items():
        progress(f"published ruin table, horizon {horizon:g}")
        need = simulate(_insurer(horizon), paths=paths, seed=seed).summary.need
        for capital, exact in enumerate(published, start=1):
            hits = round(need.share_above(capital * LAMPORTS_PER_SOL) * paths)
            seen = intervals.share(hits, paths, 0.999)
            good = seen.low - 0.004 <= exact <= seen.high + 0.004
            passed &= good
            rows.append((f"{horizon:g}", capital, f"{exact:.5f}", f"{seen.value:.5f}",
                         f"{seen.value - exact:+.5f}", _word(good)))  # fmt: skip
    table = markdown_table(["horizon", "capital", "published", "simulated", "difference", ""], rows)
    return Part(
        "## Treasury: a published ruin table\n\nFinite-time ruin with exponential claims (mean 5, "
        "5 a unit of time, loading 0.3): the manual of XploRe's insurance library, "
        "`INSexactexpfin` (P. Mista 2003). Claims are 2,000 skins at the midpoints of the "
        "exponential's quantiles; premiums are 20,000 kept boxes a unit of time; 500 steps a unit. "
        "Both make the walk differ from the textbook's by up to 0.004, which the bound allows "
        f"beside the 99.9 % interval. Seed {seed}, {paths:,} paths a horizon.\n\n" + table, passed,
    )  # fmt: skip


def _insurer(horizon: float) -> Scenario:
    """Cramér and Lundberg's insurer as a treasury: a day is a unit of time, a SOL one of money."""
    claims, boxes, skins = 5.0, 20_000.0, 2_000
    ranks = (np.arange(skins) + 0.5) / skins
    prices = tuple(Decimal(round(value)) / 10 for value in -5 * np.log1p(-ranks) * 1e3)
    premium = 1.3 * 5.0 * claims
    return Scenario(
        economy=Economy(
            mint_price_lamports=round(premium / boxes * LAMPORTS_PER_SOL), supply_items=10**9,
            tiers=(Tier("claims", Decimal(1), prices),),
        ),
        rules=Rules(
            rate=Decimal(1), treasury_lamports=NEVER_RUINED_LAMPORTS, treasury_lamports_min=0,
            on_shortfall=Shortfall.STOP,
        ),
        price=Gbm(100.0, 0.0, 0.0), demand=Demand(boxes),
        behaviour=Behaviour((Holders(claims / boxes),)),
        days=horizon, step_seconds=86_400 / 500,
    )  # fmt: skip


def outflow_moments(seed: int, scale: float, progress: Progress) -> Part:
    """Mean and variance of sales of people who hold for a while: an M/G/infinity queue."""
    progress("sales of people who hold")
    rows, passed = [], True
    days, mints, hazard = 60, 20.0, 0.05
    scenario = Scenario(
        demand=Demand(mints), behaviour=Behaviour((Holders(0.2), Holders(0.5, hazard))),
        rules=Rules(treasury_lamports=NEVER_RUINED_LAMPORTS, treasury_lamports_min=0),
        price=Gbm(200.0, 0.0, 0.0), days=days,
    )  # fmt: skip
    blocks = max(2, round(16 * scale))
    sold = []
    for block in range(blocks):
        totals = play_block(scenario, seed, block, 2_048).totals
        assert totals is not None
        sold.append(totals[:, TOTALS.index("sold")])
    counts = np.concatenate(sold).astype(np.float64)
    ages = days - np.arange(days)
    mean = mints * float((0.2 + 0.5 * (1 - np.exp(-hazard * ages))).sum())
    seen = intervals.mean(counts, 0.999)
    variance = float(counts.var(ddof=1))
    half = float(stats.norm.ppf(0.9995)) * mean * math.sqrt(2 / len(counts))
    for what, exact, value, low, high in (
        ("mean", mean, seen.value, seen.low, seen.high),
        ("variance", mean, variance, variance - half, variance + half),
    ):
        good = low <= exact <= high
        passed &= good
        rows.append((what, f"{exact:.3f}", f"{value:.3f}", f"{low:.3f} to {high:.3f}",
                     _word(good)))  # fmt: skip
    table = markdown_table(
        ["sales in 60 days", "closed form", "simulated", "99.9 % interval", ""], rows
    )
    return Part(
        "## Treasury: sales of people who hold for a while\n\nBoxes arrive as a Poisson stream and "
        "leave after independent times, so sales are Poisson: mean and variance are the same sum. "
        f"Full kernel, seed {seed}, {len(counts):,} paths.\n\n" + table, passed,
    )  # fmt: skip


def coverage(seed: int, scale: float, progress: Progress) -> Part:
    """How often nominal 95 % intervals contain a truth that is known exactly."""
    repetitions = max(20, round(1_000 * scale))
    steps, capital, paths = 30, 4, 2_000
    scenario = _walk(3.0, 2.5, capital, float(steps), 1.0)
    ruin, mean = _exact_walk(3.0, 2.5, capital, steps)
    within = {"probability of ruin (Wilson)": 0, "mean balance at the end (Student)": 0}
    for number in range(repetitions):
        progress(f"coverage {number}/{repetitions}")
        played = play_block(scenario, seed + number, 0, paths)
        seen = intervals.share(int((played.pause_step < steps).sum()), paths)
        within["probability of ruin (Wilson)"] += seen.low <= ruin <= seen.high
        middle = intervals.mean(played.balances[:, -1] / LAMPORTS_PER_SOL)
        within["mean balance at the end (Student)"] += middle.low <= mean <= middle.high
    # Fewer repetitions than the committed ones cannot be held to so narrow a bound.
    slack = 0.015 if repetitions >= 1_000 else 4 * math.sqrt(0.95 * 0.05 / repetitions)
    rows, passed = [], True
    for name, hits in within.items():
        good = abs(hits / repetitions - 0.95) <= slack
        passed &= good
        bound = f"{95 - 100 * slack:.1f} to {min(100.0, 95 + 100 * slack):.1f} %"
        rows.append((name, repetitions, f"{hits / repetitions:.1%}", bound, _word(good)))
    table = markdown_table(["interval", "repetitions", "coverage", "bound", ""], rows)
    return Part(
        "## Treasury: coverage of 95 % intervals\n\nThe truth (ruin "
        f"{ruin:.6f}, mean {mean:.6f} SOL) is computed by stepping the law of the balance of a "
        f"walk through {steps} days. {paths:,} paths a repetition, seeds {seed} to "
        f"{seed + repetitions - 1}.\n\n" + table, passed,
    )  # fmt: skip


def _exact_walk(up: float, down: float, capital: int, steps: int) -> tuple[float, float]:
    """Probability of ruin and mean last balance (SOL) of `_walk` in steps of a day."""
    most = capital + math.ceil(steps * up + 12 * math.sqrt(steps * (up + down)) + 20)
    law = np.zeros(most + 1)
    law[capital] = 1.0
    moves = stats.skellam.pmf(np.arange(-most, most + 1), up, down)
    stopped = 0.0
    for _ in range(steps):
        wide = np.convolve(law, moves)[: 2 * most + 1]
        # Entry j of `wide` is balance j - most; whoever is below zero stops where they were.
        falls = np.array([moves[: most - level].sum() for level in range(most + 1)])
        stopped += float((law * falls * np.arange(most + 1)).sum())
        law = wide[most:]
    return float(1 - law.sum()), float((law * np.arange(most + 1)).sum() + stopped)


def variance_reduction(seed: int, scale: float, progress: Progress) -> Part:
    """Importance sampling, control variate and antithetic pairs against plain simulation."""
    rows, passed = [], True
    plain_paths = max(8_192, round(2_000_000 * scale))
    for sol in (500, 1_000, 2_500):
        progress(f"rare ruin with {sol} SOL")
        scenario = Scenario(
            rules=Rules(treasury_lamports=sol * LAMPORTS_PER_SOL, on_shortfall=Shortfall.STOP),
            price=Gbm(200.0, 0.0, 0.55),
        )
        started = time.perf_counter()
        rare = rare_ruin(scenario, seed=seed)
        seconds = time.perf_counter() - started
        plain = simulate(scenario, paths=plain_paths, seed=seed + 1).ruin(level=0.999)
        # At 99.9 % for both: the intervals must meet.
        half = 3.29 * rare.relative_error * rare.ruin.value
        good = rare.ruin.value - half <= plain.high and rare.ruin.value + half >= plain.low
        passed &= good
        rows.append((f"ruin, {sol} SOL", f"{plain.value:.3g} ({plain.low:.2g} to {plain.high:.2g})",
                     f"{rare.ruin.value:.3g}", f"{rare.relative_error:.0%}",
                     f"{rare.plain_paths / rare.played:.0f} x fewer paths", f"{seconds:.0f}",
                     _word(good)))  # fmt: skip
    progress("control variate")
    started = time.perf_counter()
    found = controlled_mean_loss(Scenario().change("rules.on_shortfall", Shortfall.STOP),
                                 paths=max(4_096, round(131_072 * scale)), seed=seed)  # fmt: skip
    good = found.plain.low <= found.controlled.high and found.controlled.low <= found.plain.high
    passed &= good
    rows.append((
        "mean loss, SOL (control variate)", f"{found.plain.value / 1e9:.2f}",
        f"{found.controlled.value / 1e9:.2f}",
        f"{abs(found.controlled.relative_error):.2%}", f"{found.explained:.1%} less variance",
        f"{time.perf_counter() - started:.0f}", _word(good),
    ))  # fmt: skip
    table = markdown_table(
        ["what", "plain", "reduced", "relative error", "gain", "seconds", ""], rows
    )
    return Part(
        "## Treasury: variance reduction against plain simulation\n\nThe guide's economy with "
        "volatility 0.55 over a year. Importance sampling stops at a relative standard error of "
        f"10 %; plain simulation has {plain_paths:,} paths and a 99.9 % interval. One process, "
        f"seed {seed}.\n\n" + table, passed,
    )  # fmt: skip


def splitting(seed: int, scale: float, progress: Progress) -> Part:
    """Rare ruin of the base model and beyond it, by two ways, against plain simulation."""
    rows, passed = [], True
    plain_paths = max(8_192, round(400_000 * scale))
    for name, scenario in _rare_cases():
        progress(f"{name}: plain")
        plain = simulate(scenario, paths=plain_paths, seed=seed + 1, workers=2).ruin(level=0.999)
        progress(f"{name}: as `rare` chooses")
        wall = time.perf_counter()
        with Crew(2) as crew:
            rare = rare_ruin(scenario, seed=seed, wish=Wish(level=0.999), crew=crew)
        wall = time.perf_counter() - wall
        progress(f"{name}: splitting")
        # One round of races: enough to be wrong by, not to be sure.
        split = rare_ruin(
            scenario, method="splitting", seed=seed, wish=Wish(1.0, paths_max=1, level=0.999)
        )
        good = all(
            one.ruin.low <= plain.high and one.ruin.high >= plain.low for one in (rare, split)
        )
        passed &= good and rare.reached
        rows.append((
            name, f"{plain.value:.3g} ({plain.low:.2g} to {plain.high:.2g})",
            f"{rare.method} {rare.ruin.value:.3g} ({rare.ruin.low:.2g} to {rare.ruin.high:.2g})",
            f"{rare.relative_error:.1%}", f"{wall:.0f}", f"{rare.plain_paths / rare.played:.0f}",
            f"{split.ruin.value:.3g} ({split.ruin.low:.2g} to {split.ruin.high:.2g})",
            f"{split.plain_paths / split.played:.1f}", _word(good),
        ))  # fmt: skip
    table = markdown_table(
        ["scenario", "plain", "`rare`", "relative error", "seconds", "plain paths a path",
         "splitting", "plain paths a path", ""],
        rows,
    )  # fmt: skip
    return Part(
        "## Treasury: rare ruin, by the method that `rare` chooses and by splitting\n\nProbability "
        f"of ruin with 99.9 % intervals. Plain simulation has {plain_paths:,} paths; `rare` stops "
        "at a relative standard error of 10 %, two processes, pilots and start included; splitting "
        "has one round of eight races. \"Plain paths a path\": how many paths plain simulation "
        "would need for the same standard error, a path that was played; below 1 a method is worse "
        f"than plain. Seed {seed}.\n\n" + table, passed,
    )  # fmt: skip


def _rare_cases() -> tuple[tuple[str, Scenario], ...]:
    base = Scenario(rules=Rules(on_shortfall=Shortfall.STOP), price=Gbm(200.0, 0.0, 0.55))
    rest = dataclasses.replace(
        base, days=90,
        behaviour=Behaviour(
            (Holders(0.4), Holders(0.3, 0.03)), panic=Panic(0.5, 5.0), arbitrage=Arbitrage(10, 0.3),
            whales=Whales(0.02, 0.2),
        ),
    )  # fmt: skip
    return (
        ("base model, 1,700 SOL", base.change("rules.treasury_lamports", 1_700 * LAMPORTS_PER_SOL)),
        ("holders, panic, arbitrage, whales; jumps, a lagging oracle", dataclasses.replace(
            rest, price=Merton(), oracle=Oracle(OracleKind.LAG, lag_seconds=86_400))),
        ("the same people; Heston, skins that move", dataclasses.replace(
            rest, price=Heston(variance_year=0.3, variance_mean_year=0.3),
            skin_index=SkinIndex(0.4, 0.0, 0.3, table_follows=True))),
    )  # fmt: skip


def _word(good: bool) -> str:
    return "within" if good else "OUTSIDE"


PARTS: dict[str, PartFunction] = {
    "first-passage": first_passage,
    "ruin-closed-form": ruin_closed_form,
    "ruin-table": ruin_table,
    "outflow-moments": outflow_moments,
    "coverage": coverage,
    "variance-reduction": variance_reduction,
    "splitting": splitting,
}
