"""Fits find the law that made the history; histories that are not whole are refused."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.errors import UsageError
from harness.treasury import Garch, Gbm, Merton, Regimes
from harness.treasury.fit import fit_all, fit_garch, fit_merton, fit_regimes
from harness.treasury.history import History, read_history
from harness.treasury.prices import PriceProcess
from harness.treasury.scenario_file import read_scenario


def made_by(process: PriceProcess, steps: int = 3000, seed: int = 3) -> History:
    rng = np.random.Generator(np.random.PCG64(seed))
    prices = process.paths(rng, rng.standard_normal((1, steps - 1)), 1.0)[0]
    return History("made up", prices, 1.0, "", "")


def draws() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(1))


def test_one_generator_draws_all_that_is_drawn() -> None:
    history = made_by(Gbm(200.0, 0.2, 0.8), 400)
    assert repr(fit_all(history, draws())) == repr(fit_all(history, draws()))
    other = fit_all(history, np.random.Generator(np.random.PCG64(2)))
    limits = [
        next(one.limits for one in fits if one.name == "heston")
        for fits in (fit_all(history, draws()), other)
    ]
    assert limits[0] != limits[1]


@pytest.mark.parametrize(
    ("process", "winner"),
    [
        (Gbm(200.0, 0.2, 0.8), {"gbm"}),
        (Merton(200.0, 0.0, 0.5, 30.0, -0.05, 0.12), {"merton"}),
        (Garch(200.0, 0.0, 0.00008, 0.12, 0.84, 5.0), {"garch"}),
        (Regimes(200.0, (0.0, 0.0), (0.4, 1.6), (80.0, 30.0)), {"regimes"}),
    ],
)
def test_the_law_that_made_a_history_fits_it_best(process: PriceProcess, winner: set[str]) -> None:
    fits = fit_all(made_by(process), draws())
    assert {fit.name for fit in fits} == {
        "gbm", "merton", "regimes", "heston", "garch", "bootstrap"
    }  # fmt: skip
    assert fits[0].name in winner
    assert fits[0].ks_p > 0.01
    assert fits[0].loss_99_law == pytest.approx(fits[0].loss_99_history, rel=0.2)
    if winner != {"gbm"}:
        gbm = next(fit for fit in fits if fit.name == "gbm")
        assert gbm.ks_p < 0.01


def test_parameters_come_back() -> None:
    merton = fit_merton(made_by(Merton(200.0, 0.0, 0.5, 30.0, -0.05, 0.12), 6000), draws()).process
    assert isinstance(merton, Merton)
    assert merton.volatility_year == pytest.approx(0.5, rel=0.05)
    assert merton.jumps_year == pytest.approx(30, rel=0.25)
    assert merton.jump_deviation == pytest.approx(0.12, rel=0.2)
    regimes = fit_regimes(
        made_by(Regimes(200.0, (0.0, 0.0), (0.4, 1.6), (80.0, 30.0)), 6000), draws()
    )
    assert isinstance(regimes.process, Regimes)
    assert regimes.process.volatilities_year == pytest.approx((0.4, 1.6), rel=0.06)
    assert regimes.process.stay_days == pytest.approx((80, 30), rel=0.35)
    garch = fit_garch(made_by(Garch(200.0, 0.0, 0.00008, 0.12, 0.84, 5.0), 6000), draws()).process
    assert isinstance(garch, Garch)
    assert garch.alpha == pytest.approx(0.12, abs=0.04)
    assert garch.beta == pytest.approx(0.84, abs=0.05)


def csv(folder: Path, change: str = "", parquet: bool = False) -> Path:
    days = pd.date_range("2026-01-01", periods=60, freq="D")
    prices = 200 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.04, 60)))
    table = pd.DataFrame({"date": days.strftime("%Y-%m-%d"), "close": prices.round(4)})
    if change == "negative":
        table.loc[7, "close"] = -1.0
    elif change == "text":
        table["close"] = table["close"].astype(str)
        table.loc[7, "close"] = "n/a"
    elif change == "dollars":
        table["close"] = "$200"
    elif change == "gap":
        table = table.drop(index=20)
    elif change == "twice":
        table = pd.concat([table.iloc[:20], table.iloc[19:]])
    elif change == "unsorted":
        table = pd.concat([table.iloc[30:], table.iloc[:30]])
    elif change == "short":
        table = table.iloc[:10]
    elif change == "no price":
        table = table.rename(columns={"close": "volume"})
    elif change == "no time":
        table.loc[3, "date"] = "someday"
    path = folder / ("prices.parquet" if parquet else "prices.csv")
    if parquet:
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("negative", "row 9: price .*-1.* is no number above 0"),
        ("text", "row 9: price nan is no number above 0"),
        ("dollars", r"row 2: price \$200\.* is no number above 0 \(60 such rows\)"),
        ("gap", "row 22: time 2026-01-22 comes after a gap"),
        ("twice", "row 22: time 2026-01-20 is there twice"),
        ("unsorted", "comes after a later one"),
        ("short", "10 rows; 30"),
        ("no price", "needs one column with a price"),
        ("no time", "row 5: 'someday' is not a time"),
    ],
)
def test_a_history_that_is_not_whole_is_refused(tmp_path: Path, change: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_history(csv(tmp_path, change))


DAYS = pd.date_range("2026-01-01", periods=40, freq="D", tz="UTC")
SEEN = np.linspace(990.25, 1185.25, 40)  # over a thousand, so that thousands are separated


def _lines(head: str, row: str, newest_first: bool = False) -> str:
    """A file of days and prices; `row` says how one is written."""
    rows = [
        row.format(day=day, ms=day.value // 10**6, us=day.value // 1000, price=price)
        for day, price in zip(DAYS, SEEN, strict=True)
    ]
    return "\n".join([head, *(rows[::-1] if newest_first else rows)]) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        _lines("snapped_at,price,market_cap", "{day:%Y-%m-%d %H:%M:%S} UTC,{price},1.5e9"),
        _lines("Date,Open,High,Low,Close,Adj Close,Volume", "{day:%Y-%m-%d},1,2,3,{price},4,5"),
        _lines('\ufeff"Date","Price","Vol."', '"{day:%m/%d/%Y}","{price:,.2f}","1.2M"', True),
        _lines("open_time,open,close", "{ms},1,{price}"),
        _lines("timestamp,usd", "{us},{price}", True),
        _lines("date;price", "{day:%Y-%m-%d};{price}").replace(".", ","),
        _lines("date;price", "{day:%d/%m/%Y};{price}").replace(".", ",").replace("/", "."),
        _lines("date,price", "{day:%d/%m/%Y},{price}", True),
    ],
    ids=[
        "CoinGecko",
        "Yahoo",
        "Investing",
        "milliseconds",
        "microseconds",
        "decimal commas",
        "days first, dots",
        "days first, strokes",
    ],
)
def test_files_that_people_have_are_taken_as_they_are(tmp_path: Path, text: str) -> None:
    (tmp_path / "export.csv").write_text(text, encoding="utf-8")
    (tmp_path / "export.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("export.csv", "export.csv.gz"):
        history = read_history(tmp_path / name)
        assert history.prices.tolist() == pytest.approx(SEEN.tolist())
        assert history.step_days == 1.0


def test_a_row_is_named_by_its_place_in_the_file_also_if_the_newest_is_first(
    tmp_path: Path,
) -> None:
    lines = _lines("date,price", "{day:%Y-%m-%d},{price}", newest_first=True).splitlines()
    (tmp_path / "export.csv").write_text("\n".join([*lines[:10], *lines[11:]]))
    with pytest.raises(UsageError, match="row 10: time 2026-02-01 comes after a gap"):
        read_history(tmp_path / "export.csv")


def test_months_written_with_dots_are_not_taken_for_days(tmp_path: Path) -> None:
    """01.02.2024 is the first of February: there is no day above 12 that would say so."""
    months = pd.date_range("2021-01-01", periods=36, freq="MS")
    rows = [f"{month:%d.%m.%Y};{100 + month.month}" for month in months]
    (tmp_path / "months.csv").write_text("\n".join(["date;price", *rows]) + "\n")
    assert read_history(tmp_path / "months.csv").step_days == 31.0


def test_times_that_are_the_index_of_a_parquet_file_are_found(tmp_path: Path) -> None:
    table = pd.DataFrame({"close": SEEN}, index=DAYS.rename("date"))
    table.to_parquet(tmp_path / "prices.parquet")
    assert read_history(tmp_path / "prices.parquet").step_days == 1.0


def test_csv_and_parquet_say_the_same_and_can_be_bootstrapped(tmp_path: Path) -> None:
    one, other = read_history(csv(tmp_path)), read_history(csv(tmp_path, parquet=True))
    assert np.array_equal(one.prices, other.prices)
    assert one.step_days == other.step_days == 1.0
    (tmp_path / "treasury.toml").write_text('[price]\nkind="bootstrap"\nhistory="prices.csv"\n')
    scenario = read_scenario(tmp_path / "treasury.toml")
    assert scenario.price.sol_usd == one.last_usd
    rng = np.random.default_rng(0)
    paths = scenario.price.paths(rng, rng.standard_normal((500, 199)), 1.0)
    drawn = np.diff(np.log(paths), axis=1)
    assert set(np.round(drawn.ravel(), 9)) <= set(np.round(one.log_returns, 9))
    assert drawn.std() == pytest.approx(one.log_returns.std(), rel=0.05)
    assert math.isfinite(paths.sum())


def test_not_a_table(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"no")
    for name in ("x.parquet", "none.csv"):
        with pytest.raises(UsageError, match=r"cannot be read|is not a table"):
            read_history(tmp_path / name)
