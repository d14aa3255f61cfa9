"""Anytime-valid evidence: it is a fair game, it grows under a broken promise, and it remembers."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from harness.errors import UsageError
from harness.odds.assertions import OddsRefuted, assert_not_failed
from harness.odds.draws import BoxDraws
from harness.odds.eprocess import bettors
from harness.odds.monitor import Monitor, Watch, epsilons
from harness.odds.plan import kullback_leibler, stopping_draws
from harness.odds.table import RarityTable, guide_table

P = np.array(guide_table().probabilities)
RARER = np.array(guide_table().shifted({"legendary": "0.02"}).probabilities)


def watch(alpha: float = 0.01, epsilon: float = 0.02, **settings: object) -> Watch:
    table = guide_table()
    return Watch(table, alpha, epsilons(table, epsilon), **settings)  # type: ignore[arg-type]


def drawn(n: int, p: np.ndarray = P, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).choice(5, n, p=p).astype(np.int8)


def test_it_is_a_fair_game() -> None:
    """Over every sequence of 6 draws the fortune is 1 on average: the definition, exactly."""
    p = np.array([0.6, 0.3, 0.1])
    game = bettors(p, np.array([0.5, 0.3, 0.2]), concentration=7.0)
    for n in (1, 3, 6):
        mean = sum(
            math.prod(p[one] for one in sequence)
            * math.exp(game.log_e(np.bincount(sequence, minlength=3)))
            for sequence in product(range(3), repeat=n)
        )
        assert mean == pytest.approx(1.0)


def test_the_learner_is_the_dirichlet_mixture() -> None:
    """Against scipy's Dirichlet-multinomial, which counts the orders as well."""
    game, counts = bettors(P, concentration=40.0), np.array([12, 7, 3, 2, 1])
    other = stats.dirichlet_multinomial(40.0 * P, counts.sum()).logpmf(counts)
    orders = math.lgamma(26) - sum(math.lgamma(x + 1) for x in counts)
    assert float(game.log_mixture(counts.astype(float))) == pytest.approx(other - orders)


def test_feeding_draws_one_by_one_is_the_formula_of_the_counts() -> None:
    tiers = drawn(20_000)
    game, counts = bettors(P, RARER), np.zeros(5, dtype=np.int64)
    path, crossed = game.update(counts, tiers, math.inf)
    tallies = np.cumsum(np.eye(5)[tiers], axis=0)
    assert np.allclose(path, game.log_e(tallies), atol=1e-8)
    assert crossed == -1
    assert list(counts) == list(np.bincount(tiers))


def test_an_honest_table_is_rarely_called_broken_whenever_one_looks() -> None:
    """1,000 honest tables, a look after each of 2,000 draws, alpha 5 %: the count of failures is
    within the binomial 99.9 % band of at most 50."""
    game = bettors(P, RARER)
    failed = int((stopping_draws(game, P, 0.05, 1000, 2000, np.random.default_rng(8)) < 2000).sum())
    assert failed <= stats.binom.ppf(0.999, 1000, 0.05)
    assert failed > 0, "a bound that nothing ever reaches would pass as well"


def test_a_broken_promise_fails_within_one_and_a_half_times_walds_bound() -> None:
    game = bettors(P, RARER)
    wald = math.log(100) / kullback_leibler(RARER, P)
    times = stopping_draws(game, RARER, 0.01, 150, math.ceil(12 * wald), np.random.default_rng(4))
    assert times.mean() <= 1.5 * wald
    assert times.max() < 12 * wald


def test_small_shifts_of_rare_tiers_are_found_without_a_plan() -> None:
    """The mixture finds 3 % to 2 % with fewer draws than the learner alone."""
    game = bettors(P)
    alone = type(game)(P, game.alternatives[:1], np.array([-np.inf, 0.0]), game.concentration)
    rng = np.random.default_rng
    mixed = stopping_draws(game, RARER, 0.01, 60, 30_000, rng(4)).mean()
    learner = stopping_draws(alone, RARER, 0.01, 60, 30_000, rng(4)).mean()
    assert mixed < 0.9 * learner


def test_the_confidence_box_is_the_projection_of_the_set() -> None:
    """Points of the set, found by walking random lines, lie in the box and come near its walls."""
    game, counts, alpha = bettors(P), np.array([50, 20, 20, 6, 4]), 0.05
    low, high = game.confidence_box(counts, alpha)
    least = float(game.log_mixture(counts.astype(float))) + math.log(alpha)
    rng = np.random.default_rng(1)
    inside = rng.dirichlet(counts + 1.0, size=200_000)
    inside = inside[(counts * np.log(inside)).sum(axis=1) > least]
    assert np.all(inside >= low - 1e-9)
    assert np.all(inside <= high + 1e-9)
    spread = high - low
    assert np.all(inside.min(axis=0) - low < 0.25 * spread)
    assert np.all(high - inside.max(axis=0) < 0.25 * spread)
    assert game.within(counts, alpha, low - 1e-6, high + 1e-6)
    for tier in range(5):
        tighter = high.copy()
        tighter[tier] -= 1e-3
        assert not game.within(counts, alpha, low - 1e-6, tighter)


def test_the_monitor_says_fails_holds_or_how_many_more() -> None:
    honest = Monitor(watch())
    first = honest.verdict()
    assert first.decision == "undecided"
    assert first.more is not None
    honest.update(drawn(2_000))
    assert str(honest.verdict()).startswith("undecided, ")
    honest.update(drawn(30_000, seed=9))
    assert honest.verdict().decision == "holds"
    assert honest.held_at is not None
    assert 4_000 < honest.held_at < 30_000
    assert assert_not_failed(honest).decision == "holds"

    broken = Monitor(watch(alternative=tuple(RARER)))
    broken.update(drawn(12_000, RARER))
    verdict = broken.verdict()
    assert verdict.decision == "fails"
    assert verdict.decided_at is not None
    assert verdict.decided_at < 12_000
    with pytest.raises(OddsRefuted, match=r"the promise failed at draw \d+ of 12000"):
        assert_not_failed(broken)
    broken.update(drawn(200_000))
    assert broken.verdict().decision == "fails", "a failure stands"


def test_absence_of_evidence_is_not_equivalence() -> None:
    few = Monitor(watch(epsilon=0.005))
    few.update(drawn(3_000))
    assert few.verdict().decision == "undecided"
    between = np.array([0.475, 0.25, 0.175, 0.07, 0.03])  # outside epsilon by 0.02
    wrong = Monitor(watch(epsilon=0.005))
    wrong.update(drawn(60_000, between))
    assert wrong.held_at is None


def test_the_state_survives_a_restart_and_knows_its_draws(tmp_path: Path) -> None:
    tiers, path = drawn(6_000, RARER), tmp_path / "state.json"
    settings = watch(alternative=tuple(RARER))
    whole = Monitor(settings)
    whole.update(tiers)
    for end in (1_000, 1_001, 4_000, 6_000):
        part = Monitor.load(path, settings) if path.exists() else Monitor(settings)
        part.follow(BoxDraws(guide_table(), tiers[:end]))
        part.save(path)
    again = Monitor.load(path, settings)
    assert list(again.counts) == list(whole.counts)
    assert again.log_e == pytest.approx(whole.log_e, abs=1e-8)
    assert again.log_e_max == pytest.approx(whole.log_e_max, abs=1e-8)
    assert again.failed_at == whole.failed_at
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]
    for other in (tiers[:100], drawn(7_000, seed=11)):
        with pytest.raises(UsageError, match="this source does not begin with"):
            again.follow(BoxDraws(guide_table(), other))


def test_a_state_of_another_promise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    Monitor(watch()).save(path)
    other = RarityTable("mystery-box", {"A": "0.5", "B": "0.5"})
    for changed in (watch(alpha=0.05), watch(epsilon=0.03), watch(alternative=tuple(RARER)),
                    Watch(other, 0.01, (0.02, 0.02))):  # fmt: skip
        with pytest.raises(UsageError, match="belongs to another promise or other settings"):
            Monitor.load(path, changed)
    path.write_text(json.dumps({"format": "else"}))
    with pytest.raises(UsageError, match="is no state of a monitor"):
        Monitor.load(path, watch())
    path.write_text("{")
    with pytest.raises(UsageError, match="is no state of a monitor"):
        Monitor.load(path, watch())


def test_a_state_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none/state\.json: cannot be written \(No such file"):
        Monitor(watch()).save(tmp_path / "none" / "state.json")


def test_what_cannot_be_watched_is_refused() -> None:
    with pytest.raises(UsageError, match="alpha must be"):
        watch(alpha=0.7)
    with pytest.raises(UsageError, match="epsilon must be"):
        watch(epsilon=0.0)
    with pytest.raises(UsageError, match="epsilon of Common is missing"):
        epsilons(guide_table(), {"legendary": 0.01})
    pool = RarityTable("pool", None, stock={"A": {"x": 8}, "B": {"y": 4}})
    with pytest.raises(UsageError, match="drawn without replacement"):
        Watch(pool, 0.01, (0.1, 0.1))
    with pytest.raises(UsageError, match=r"outside 0\.\.4"):
        Monitor(watch()).update(np.array([5], dtype=np.int8))
