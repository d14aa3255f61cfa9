"""The audit as a person meets it: verdict, certificate, command line, exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.backend_server import reference_prices
from harness.errors import EXIT_THRESHOLD, StartError, UsageError
from harness.odds.assertions import OddsRefuted, assert_odds
from harness.odds.audit import audit
from harness.odds.certificate import write_certificate
from harness.odds.charts import intervals_chart
from harness.odds.compare import compare
from harness.odds.draws import Draws
from harness.odds.intake import draws_from_frame
from harness.odds.monitor import Monitor, Watch, epsilons
from harness.odds.plan import (
    chi_square_draws,
    most_powerful_draws,
    noncentral_draws,
    plan,
    smallest_found,
)
from harness.odds.raw import judge, read_report, stream
from harness.odds.table import RarityTable, guide_table
from harness.odds.value import box_value

TABLE = guide_table()
HARNESS = str(Path(sys.executable).with_name("harness"))


def drawn(n: int, odds: dict[str, str] | None = None, seed: int = 6) -> Draws:
    table = TABLE if odds is None else TABLE.shifted(odds)
    rng = np.random.default_rng(seed)
    tiers = rng.choice(TABLE.tiers, n, p=table.probabilities)
    wallets = [f"w{one}" for one in rng.integers(0, n // 8 + 1, n)]
    times = pd.date_range("2026-01-01", periods=n, freq="7min", tz="UTC")
    return draws_from_frame(pd.DataFrame({"tier": tiers, "wallet": wallets, "time": times}), TABLE)


def test_an_honest_table_is_not_refuted_which_is_no_proof() -> None:
    found = audit(drawn(800), TABLE, epsilon=0.02)
    (box,) = found.boxes
    assert not found.refuted
    assert box.outcome == "not refuted"
    assert box.smallest_shift[4] > 0.02
    assert {one.test.family for one in box.confirmatory} == {"odds", "order", "dependence"}
    assert audit(drawn(800), TABLE).as_dict()["boxes"] == found.as_dict()["boxes"]


def test_enough_draws_hold_within_epsilon() -> None:
    (box,) = audit(drawn(30_000), TABLE, epsilon=0.02).boxes
    assert box.outcome == "holds within epsilon"


def test_a_broken_promise_is_refuted_and_the_assertion_says_how() -> None:
    draws = drawn(3_000, {"legendary": "0.01"})
    found = audit(draws, TABLE, alternative={TABLE.box: TABLE.shifted({"legendary": "0.01"})})
    assert found.refuted
    (box,) = found.boxes
    assert box.rejected[0].test.family == "odds"
    assert {one.test.family for one in box.rejected} <= {"odds", "order"}, "gaps grow as well"
    assert box.path[-1][1] > np.log(100)
    best = box.described[-1]
    assert best.name == "most powerful against the plan"
    assert (best.p_value or 1) < 1e-8
    with pytest.raises(
        OddsRefuted, match=r"refuted by .* Legendary \d+ \(\d\.\d+%, promised 0\.03\)"
    ):
        assert_odds(draws, TABLE)
    with pytest.raises(OddsRefuted, match=r"do not show that every tier is within 0\.001"):
        assert_odds(drawn(500), TABLE, epsilon=0.001)


def test_long_names_of_tiers_stay_within_the_picture() -> None:
    """A letter of the page's 14 pixels is 7 to 8 wide; names end left of the plot."""
    names = ["Consumer Grade", "Mil-Spec", "An Exceedingly Rare Special Item"]
    table = RarityTable("case", dict(zip(names, ("0.7", "0.2", "0.1"), strict=True)))
    rows = pd.DataFrame({"tier": np.repeat(names, (70, 20, 10))})
    (box,) = audit(draws_from_frame(rows, table), table, epsilon=0.05).boxes
    drawn_names = re.findall(
        r'<text x="([\d.]+)" y="[\d.]+" class="end">([^<]*)<',
        str(intervals_chart(box.intervals, 0.05, "title")),
    )
    assert [name for _, name in drawn_names] == [*names[:2], "An Exceedingly Rare Speci…"]
    for x, name in drawn_names:
        assert 7.5 * len(name) <= float(x) <= 250


def test_boxes_share_the_level() -> None:
    gold = RarityTable("gold", {"A": "0.5", "B": "0.5"})
    rows = pd.DataFrame(
        {"box": ["mystery-box"] * 200 + ["gold"] * 200,
         "tier": [*np.repeat(TABLE.tiers, [100, 50, 30, 14, 6]), *["A"] * 160, *["B"] * 40]}
    )  # fmt: skip
    tables = {TABLE.box: TABLE, "gold": gold}
    found = audit(draws_from_frame(rows, tables), tables)
    outcomes = {box.table.box: box.outcome for box in found.boxes}
    assert outcomes["gold"] == "refuted"
    counted = [one for box in found.boxes for one in box.confirmatory]
    assert len(found.frame().query("counts")) == len(counted)
    raw = [one for one in counted if one.test.p_value is not None]
    least = min(raw, key=lambda one: one.test.p_value or 0)
    assert least.p_adjusted == pytest.approx(min(1, len(raw) * (least.test.p_value or 0)))


def _twins(more: int, odds: dict[str, str] | None = None) -> tuple[Draws, dict[str, RarityTable]]:
    """Two boxes of 40,000 draws: one has so many legendary too many, the other too few."""
    tables = {
        name: RarityTable(name, dict(zip(TABLE.tiers, table.shares, strict=True)))
        for name, table in (("red", TABLE), ("blue", TABLE.shifted(odds) if odds else TABLE))
    }
    rng, frames = np.random.default_rng(1), []
    for name, shift in (("red", more), ("blue", -more)):
        counts = [20_000 - shift, 10_000, 6_000, 2_800, 1_200 + shift]
        tiers = rng.permutation(np.repeat(TABLE.tiers, counts))
        frames.append(pd.DataFrame({"box": name, "tier": tiers}))
    return draws_from_frame(pd.concat(frames), tables), tables


def test_boxes_of_one_promise_are_held_against_each_other(tmp_path: Path) -> None:
    """Neither strays far enough from its promise to be found out; from each other they do."""
    draws, tables = _twins(122)
    found = audit(draws, tables)
    assert {box.outcome for box in found.boxes} == {"not refuted"}
    assert found.refuted
    (between,) = found.between_boxes
    assert between.test.p_value == pytest.approx(2.7e-5, rel=0.05)  # 26.3 at 4 degrees of freedom
    everything = [one for box in found.boxes for one in box.confirmatory]
    looked = sum(one.test.p_value is not None for one in everything) + 1
    assert between.p_adjusted == pytest.approx(looked * between.test.p_value)
    with pytest.raises(OddsRefuted, match="boxes of one promise differ: red, blue "):
        assert_odds(draws, tables, alpha=0.01)
    page = write_certificate(found, tmp_path, datetime(2026, 1, 1, tzinfo=UTC))
    assert "Boxes of one promise differ" in page.read_text()
    assert found.frame().query("box.isna()")["rejected"].tolist() == [True]
    kept = json.loads(page.with_suffix(".json").read_text())
    assert [one["rejected"] for one in kept["between_boxes"]] == [True]


def test_boxes_that_agree_or_promise_otherwise_are_not_said_to_differ() -> None:
    agreeing = audit(*_twins(10))
    assert [one.rejected for one in agreeing.between_boxes] == [False]
    assert not agreeing.refuted
    own_promise = audit(*_twins(0, {"legendary": "0.02"}))
    assert own_promise.between_boxes == ()
    assert [box.outcome for box in own_promise.boxes] == ["not refuted", "refuted"]


def test_a_stock_is_audited_without_replacement() -> None:
    pool = RarityTable("pool", None, stock={"A": {"x": 80, "y": 80}, "B": {"z": 40}})
    rows = pd.DataFrame(
        {"tier": ["A"] * 100 + ["B"] * 40, "skin": ["x"] * 50 + ["y"] * 50 + ["z"] * 40}
    )
    (box,) = audit(draws_from_frame(rows, pool), pool).boxes
    assert box.outcome == "refuted"
    assert [one.test.name for one in box.rejected] == ["tiers by stock"]


def test_results_are_frames_and_plots() -> None:
    found = audit(drawn(500), TABLE)
    assert list(found.tiers()["tier"]) == list(TABLE.tiers)
    assert found.plot().axes[0].get_title(loc="left").startswith("mystery-box: 500 draws")


def test_every_result_has_a_frame_and_a_plot() -> None:
    """Monitor, plan, comparison and value beside the audit; drawing them must not fail either."""
    watch = Watch(TABLE, 0.01, epsilons(TABLE, 0.02))
    monitor = Monitor(watch)
    assert monitor.plot().axes, "before the first draw"
    monitor.update(drawn(500).of(TABLE).tier)
    assert list(monitor.tiers()["tier"]) == list(TABLE.tiers)
    assert int(monitor.tiers()["seen"].sum()) == monitor.frame()["draws"].iloc[-1] == 500
    made = plan(TABLE, TABLE.shifted({"epic": "0.03", "legendary": "0.07"}), alpha=0.01, power=0.9,
                mint_price_lamports=1, rng=np.random.default_rng(1))  # fmt: skip
    counts = drawn(500).of(TABLE).counts
    both = compare(counts, counts, TABLE.tiers, alpha=0.01, rng=np.random.default_rng(1))
    value = box_value(TABLE, reference_prices(), mint_price_lamports=200_000_000,
                      sol_usd=Decimal(200), buyback_rate=Decimal("0.85"))  # fmt: skip
    titles = []
    for result in (monitor, made, both, value):
        assert len(result.frame())
        figure = result.plot()
        figure.savefig(io.BytesIO(), format="svg")
        titles.append(figure.axes[0].get_title(loc="left"))
    assert [one.split(":")[0] for one in titles] == [
        "mystery-box", "mystery-box", "do not differ detectably", "mystery-box"
    ]  # fmt: skip


def test_levels_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="alpha must be above 0"):
        audit(drawn(100), TABLE, alpha=0.0)
    with pytest.raises(UsageError, match="epsilon must be above 0"):
        audit(drawn(100), TABLE, epsilon=2.0)


# -- planning -------------------------------------------------------------------------------------


def test_the_textbooks_figures_are_the_ones_of_the_findings() -> None:
    """About 5,900, 23,500 and 273: with the commonest tier absorbing the shift."""
    p = np.array(TABLE.probabilities)

    def q(changes: dict[str, str], absorb: str | None = None) -> np.ndarray:
        return np.array(TABLE.shifted(changes, absorb).probabilities)

    assert noncentral_draws(p, q({"legendary": "0.02"}, "Common"), 0.01, 0.9) == 5_869
    assert noncentral_draws(p, q({"legendary": "0.025"}, "Common"), 0.01, 0.9) == 23_476
    swapped = q({"epic": "0.03", "legendary": "0.07"})
    assert noncentral_draws(p, swapped, 0.01, 0.9) == 273
    assert noncentral_draws(p, q({"legendary": "0.02"}), 0.01, 0.9) == 6_035
    assert chi_square_draws(p, swapped, 0.01, 0.9) == 312, "273 finds the swap with 0.85 only"


@pytest.mark.parametrize(
    ("promised", "shifted", "draws"),
    [(0.0005, 0.001, 37_195), (0.001, 0.0005, 39_301), (1e-6, 2e-6, 18_599_524)],
)
def test_rare_tiers_are_planned_exactly(promised: float, shifted: float, draws: int) -> None:
    """The normal limit said 34,234 and 17,129,107 for a rare tier that doubles: power 0.87."""
    p, q = np.array([1 - promised, promised]), np.array([1 - shifted, shifted])
    found, how = most_powerful_draws(p, q, 0.01, 0.9)
    assert (found, how) == (draws, "likelihood ratio, exact binomial")
    n = found
    if shifted > promised:
        least = stats.binom.isf(0.01, n, promised) + 1
        assert stats.binom.sf(least - 1, n, promised) <= 0.01
        assert 0.9 <= stats.binom.sf(least - 1, n, shifted) < 0.91
    else:
        most = stats.binom.ppf(0.01, n, promised) - 1
        assert stats.binom.cdf(most, n, promised) <= 0.01
        assert 0.9 <= stats.binom.cdf(most, n, shifted) < 0.91


def test_a_plan_has_the_power_it_says() -> None:
    shifted = TABLE.shifted({"epic": "0.03", "legendary": "0.07"})
    made = plan(TABLE, shifted, alpha=0.01, power=0.9, mint_price_lamports=200_000_000,
                rng=np.random.default_rng(1))  # fmt: skip
    fixed, best, sequential = made.designs
    assert best.draws < fixed.draws
    assert sequential.draws < best.draws
    rng, q = np.random.default_rng(2), np.array(shifted.probabilities)
    p, bound = np.array(TABLE.probabilities), 13.2767  # chi-square, 4 df, 0.99
    tallies = rng.multinomial(fixed.draws, q, size=4_000)
    seen = (((tallies - fixed.draws * p) ** 2 / (fixed.draws * p)).sum(axis=1) >= bound).mean()
    assert seen == pytest.approx(0.9, abs=0.02 + 3 * np.sqrt(0.09 / 4_000))
    cost = {(c["name"], c["ledger"]): c for c in made.costs(draws_a_second=1.0)}
    one = cost["sequential", "mainnet"]
    assert one["minutes"] == pytest.approx(sequential.draws / 60)
    assert one["sol"] == pytest.approx(sequential.draws * 0.2119862, rel=1e-6)
    with pytest.raises(UsageError, match="nothing to find"):
        plan(TABLE, TABLE, alpha=0.01, power=0.9, mint_price_lamports=1, rng=rng)


def test_what_an_audit_could_have_found_is_found_with_that_power() -> None:
    n = 5_000
    shift = smallest_found(0.03, n, 5, 0.01)
    p = np.array(TABLE.probabilities)
    q = np.array(TABLE.shifted({"legendary": str(0.03 + shift)}).probabilities)
    tallies = np.random.default_rng(3).multinomial(n, q, size=4_000)
    seen = (((tallies - n * p) ** 2 / (n * p)).sum(axis=1) >= 13.2767).mean()
    assert seen == pytest.approx(0.9, abs=0.04)


# -- raw output -----------------------------------------------------------------------------------


def test_streams_are_bounded_and_repeat_with_their_seed(tmp_path: Path) -> None:
    first = b"".join(stream("seeded", 3_000_000, "7"))
    assert first == b"".join(stream("seeded", 3_000_000, "7"))
    assert len(first) == 3_000_000
    assert first != b"".join(stream("system", 3_000_000))
    (tmp_path / "bytes").write_bytes(b"abc" * 100)
    assert b"".join(stream(str(tmp_path / "bytes"), 7)) == b"abcabca"
    with pytest.raises(UsageError, match="must be system, seeded or a file"):
        next(stream("dice", 10))


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StartError, match="RNG_test is not installed; build PractRand"):
        judge("practrand", stream("seeded", 100), 100)


@pytest.mark.skipif(shutil.which("dieharder") is None, reason="dieharder is not installed")
def test_dieharder_tells_zeros_from_a_generator(tmp_path: Path) -> None:
    arguments = ("-d", "0", "-g", "200", "-t", "1000", "-p", "20")
    size = 64 << 20
    assert not judge("dieharder", stream("seeded", size), size, arguments).failed
    zeros = tmp_path / "zeros"
    with zeros.open("wb") as file:
        file.truncate(size)
    found = judge("dieharder", stream(str(zeros), size), size, arguments)
    assert found.failed


def test_reports_are_read_as_the_programs_write_them() -> None:
    report = """
        diehard_birthdays|   0|       100|     100|0.66427126|  PASSED
           diehard_operm5|   0|   1000000|     100|0.00213341|   WEAK
      diehard_rank_32x32|   0|     40000|     100|0.00000000|  FAILED
    """
    found = read_report("dieharder", "dieharder -a", 10, report)
    assert len(found.failed) == len(found.weak) == 1
    practrand = "  [Low1/8]BCFN(2+0,13-0,T)  R=+119.7  p = 3.7e-63    FAIL !!!\n  no anomalies"
    assert len(read_report("practrand", "RNG_test", 10, practrand).failed) == 1


# -- the command line -----------------------------------------------------------------------------


def harness(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HARNESS, "odds", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300,
        check=False, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip


def test_audit_leaves_a_certificate_and_99_where_refuted(tmp_path: Path) -> None:
    draws = drawn(3_000, {"legendary": "0.01"})
    draws.frame().to_csv(tmp_path / "draws.csv", index=False)
    done = harness("audit", "draws.csv", "--shift", "legendary=0.01", cwd=tmp_path)
    assert done.returncode == EXIT_THRESHOLD, done.stderr
    assert done.stdout.startswith("mystery-box: refuted, 3,000 draws: Common ")
    page = tmp_path / done.stdout.splitlines()[-1].removeprefix("certificate: ")
    text = page.read_text()
    assert "the promise is refuted" in text
    asked = r"most powerful against the plan, (?:no part of the verdict: )?p \d\S*e-\d+"
    assert re.search(asked, done.stdout), "what --shift asks for is told"
    assert re.search(asked, text)
    assert "<script" not in text
    assert text.count("<svg") == 2
    assert draws.fingerprint in text
    content = json.loads(page.with_suffix(".json").read_text())
    schema = json.loads((Path(__file__).parents[3] / "harness/odds/audit.schema.json").read_text())
    import jsonschema

    jsonschema.validate(content, schema, cls=jsonschema.Draft7Validator)
    assert content["data_sha256"] == draws.fingerprint
    assert content["verdict"] == "refuted"


def test_a_plan_is_told_at_the_rate_that_was_given(tmp_path: Path) -> None:
    asked = ("plan", "--shift", "legendary=0.02", "--draws-a-second", "0.5")
    told = json.loads(harness(*asked, "--json", cwd=tmp_path).stdout)
    designs = {one["name"]: one["draws"] for one in told["designs"]}
    for cost in told["costs"]:
        assert cost["minutes"] == pytest.approx(designs[cost["name"]] / 30)
    assert set(told["assumptions"].values()) == {"as given"}
    assert harness(*asked, cwd=tmp_path).stdout.endswith("mainnet: 0.5 draws a second, as given\n")


def test_luck_is_told_of_the_rarest_tiers_in_whatever_order_they_stand(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("tier,skin,price_usd\nA,x,1\nB,y,2\nC,z,3\n")
    for odds, name, chance in (
        ("C=0.1,B=0.3,A=0.6", "no_b_or_better_in_10", 0.6**10),
        ("B=0.3,A=0.7", "no_b_or_better_in_10", 0.7**10),
    ):
        done = harness("value", "--odds", odds, "--prices", "prices.csv", "--boxes", "10", "--json",
                       cwd=tmp_path)  # fmt: skip
        assert json.loads(done.stdout)[name] == pytest.approx(chance)


def test_monitor_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = drawn(3_000, {"legendary": "0.012"}).frame()
    told = []
    for rows in (300, 300, 3_000):
        whole.iloc[:rows].to_csv(tmp_path / "draws.csv", index=False)
        done = harness("monitor", "draws.csv", "--state", "state.json", "--json",
                       "--shift", "legendary=0.015", cwd=tmp_path)  # fmt: skip
        told.append((done.returncode, json.loads(done.stdout)))
    assert [one["new"] for _, one in told] == [300, 0, 2_700]
    assert [code for code, _ in told] == [0, 0, EXIT_THRESHOLD]
    assert told[2][1]["decision"] == "fails"


def test_bad_rows_are_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("tier,mint\nCommon,a\nMythic,b\nRare,a\n")
    done = harness("audit", "bad.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("harness: bad.csv: row 2: unknown tier (tier 'Mythic')")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()
