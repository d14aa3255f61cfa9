"""Files: what they set is set, what cannot be is refused with the reason, editors get a schema."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from harness.errors import UsageError
from harness.treasury import Gbm, Merton, Scenario, Shortfall, Stress
from harness.treasury.scenario_file import Study, json_schema, read_scenario, read_study

EXAMPLES = Path(__file__).parents[3] / "harness" / "treasury" / "examples"


def write(folder: Path, text: str) -> Path:
    path = folder / "treasury.toml"
    path.write_text(text)
    return path


def test_an_empty_file_is_the_guide(tmp_path: Path) -> None:
    assert read_scenario(write(tmp_path, "")) == Scenario()


def test_how_questions_are_asked_stands_in_the_same_file(tmp_path: Path) -> None:
    assert read_study(write(tmp_path, "")) == Study()
    text = """
[rules]
rate = 0.8
[reserve]
survive = 0.999
[adversary]
mints_day_max = 7
sell_below = [inf, 0.97]
[calibration]
at_once_days = 0.5
split = 0.6
"""
    study = read_study(write(tmp_path, text))
    assert study.scenario == read_scenario(tmp_path / "treasury.toml")
    assert study.scenario == Scenario().change("rules.rate", 0.8)
    assert study.reserve.survive == 0.999
    assert study.adversary.mints_day_max == 7
    assert study.adversary.sell_below == (float("inf"), 0.97)
    assert (study.calibration.at_once_days, study.calibration.split) == (0.5, 0.6)


def test_what_a_file_sets_is_set() -> None:
    guide = read_scenario(EXAMPLES / "guide.toml")
    assert guide.is_base
    assert guide == Scenario().change("rules.on_shortfall", Shortfall.STOP)
    crowd = read_scenario(EXAMPLES / "crowd.toml")
    assert isinstance(crowd.price, Merton)
    assert crowd.behaviour.arbitrage is not None
    assert crowd.behaviour.arbitrage.margin == 0.02
    assert crowd.rules.dynamic_rate is not None
    assert crowd.rules.dynamic_rate.rate_low == Decimal("0.60")
    assert crowd.steps == 90 * 24


def test_the_committed_schema_is_the_one_of_the_code_and_takes_the_examples() -> None:
    committed = json.loads((EXAMPLES / "treasury.schema.json").read_text())
    assert committed == json_schema()
    jsonschema.Draft7Validator.check_schema(committed)
    validator = jsonschema.Draft7Validator(committed)
    for name in ("guide.toml", "crowd.toml"):
        validator.validate(tomllib.loads((EXAMPLES / name).read_text()))
    assert not validator.is_valid({"rules": {"rates": 1}})
    assert not validator.is_valid({"price": {"kind": "gbm", "jumps_year": 1}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("day = 3", "day: unknown key; known: economy, rules"),
        ("[rules]\nrates = 1", "rules: rates: unknown key"),
        ('[rules]\nrate = "1.2"', "rate: must be within 0..1, is 1.2"),
        ("[rules]\nrate = -0.1", "rate: must be within 0..1"),
        ("[rules]\nrate = nan", "rate: must be within 0..1"),
        ("[rules]\ntreasury_lamports = 1", "starts below treasury_lamports_min"),
        ("[rules]\ntreasury_lamports = 1.5", "whole number"),
        ('[rules]\non_shortfall = "pray"', "'pray' is not one of refuse, pause, stop"),
        ("[economy]\nsupply_items = 0", "supply_items: must be 1..10.9, is 0"),
        ('[price]\nkind = "magic"', "'magic' is not one of gbm, merton"),
        ("[price]\nsol_usd = -3", "sol_usd: must be above 0"),
        ("[price]\nvolatility_year = inf", "volatility_year: must be within 0..100"),
        ("[skin_index]\ncorrelation = 1.5", "correlation: impossible"),
        ('[price]\nkind = "stress"\n[skin_index]\ncorrelation = 0.5', "has no shocks"),
        ('[price]\nkind = "heston"\ncorrelation = -2', "correlation: impossible"),
        ('[price]\nkind = "garch"\nalpha = 0.5\nbeta = 0.5', "alpha \\+ beta must be below 1"),
        ('step_seconds = 3600\n[price]\nkind = "garch"', "law of daily returns"),
        ('[price]\nkind = "bootstrap"', "price: history is missing: a CSV or Parquet file"),
        ('[price]\nkind = "bootstrap"\nfile = "a.csv"', "price: history is missing"),
        ('[price]\nkind = "bootstrap"\nreturns = [1]\nfile = "a"', "known: .*, kind, history"),
        ("[demand]\nmints_day = -1", "mints_day: must be 0"),
        ("[demand.hawkes]\nbranching = 1\ndecay_day = 1", "demand explodes"),
        ("[demand.hawkes]\nbranching = 0.5", "decay_day is missing"),
        ("[[behaviour.holders]]\nshare = 0.7\n[[behaviour.holders]]\nshare = 0.7", "at most 1"),
        ("days = 36500\nstep_seconds = 1", "at most 1000000 are possible"),
        ("days = true", "must be a number, is True"),
        ("behaviour = 3", "must be a table"),
        ('[[economy.tiers]]\nname = "a"\nodds = "0.5"\nprices_usd = ["1"]', "add up to 0.5"),
        ('[[economy.tiers]]\nname = "a"\nodds = 1\nprices_usd = ["-1"]', "0..1000000 USD, is -1"),
        ("[adversary]\npath = 3", "adversary: path: unknown key; known: days, step_seconds"),
        ("[adversary]\npaths = 3", "adversary: paths: must be 4"),
        ("[calibration]\nsplit = 1", "calibration: split: must be between 0 and 1"),
        ("[reserve]\nsurvive = 1", "reserve: survive: must be above 0 and below 1"),
        ("adversery = 1", "adversery: unknown key; known: .*adversary, calibration"),
        ("days = ", "is not TOML"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        read_scenario(write(tmp_path, text))
    assert str(refused.value).startswith("treasury.toml")
    assert "\n" not in str(refused.value)


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    assert read_scenario(write(tmp_path, "\ufeffdays = 3")).days == 3


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_scenario(tmp_path / "none.toml")


def test_changing_one_number_keeps_its_kind() -> None:
    changed = Scenario().change("rules.rate", 0.7).change("economy.mint_price_lamports", 2.1e8)
    assert changed.rules.rate == Decimal("0.7")
    assert changed.economy.mint_price_lamports == 210_000_000
    assert changed.change("price", Stress()).price == Stress()
    assert isinstance(Scenario().price, Gbm)
    for name in ("rule.rate", "rules.rat"):
        with pytest.raises(UsageError, match="known"):
            Scenario().change(name, 1)
    assert changed.digest() != Scenario().digest() == Scenario().digest()
