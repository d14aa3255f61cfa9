"""Profiles: what is read, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.load.locust_process import loadtests_folder
from harness.load.profile import Profile, profile_from, profiles_beside, read_profile

GOOD: dict[str, Any] = {
    "arrival": "poisson",
    "mix": {"reveal": 3, "look": 1},
    "stages": [
        {"name": "warm-up", "seconds": 2, "rate": 5, "warm_up": True},
        {"name": "up", "seconds": 10, "rate": 20, "ramp": True},
        {"name": "steady", "seconds": 5, "rate": 20},
    ],
    "thresholds": ["p95 reveal < 800 ms", "errors < 0.1 % in steady"],
}


FAULT = {"kind": "ledger-stall", "at_s": 3, "for_s": 5}


def made(**changes: Any) -> Profile:
    values = {**GOOD, **changes}
    return profile_from({key: value for key, value in values.items() if value is not None}, "mine")


def test_what_is_expected_of_it() -> None:
    profile = made()
    assert profile.seconds == 17
    assert profile.arrivals_expected() == 2 * 5 + 10 * (5 + 20) / 2 + 5 * 20
    sealed, revealed = profile.stock_needed()
    mean = profile.arrivals_expected() * 0.75
    assert sealed == pytest.approx(mean + 4 * mean**0.5, abs=1)
    assert revealed == 1  # somebody looks


def test_who_acts_without_an_nft_of_the_stock_needs_a_wallet() -> None:
    assert not made().needs_wallets
    assert made(mix={"reveal": 3, "look": 1, "journey": 1}).needs_wallets
    assert made(mix={"reveal": 3, "look": 1, "signin": 1}).needs_wallets


def test_every_profile_of_the_project_is_good() -> None:
    found = profiles_beside(loadtests_folder() / "profiles")
    assert {"smoke", "launch", "capacity", "soak"} <= set(found)
    for path in found.values():
        profile = read_profile(path)
        assert profile.about
        assert profile.thresholds


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arival": "poisson"}, "arival: unknown key"),
        ({"arrival": "steady"}, "arrival: must be one of"),
        ({"mix": {}}, "mix: name at least one"),
        ({"mix": {"burn": 1}}, "mix.burn: unknown"),
        ({"mix": {"reveal": -1}}, "mix.reveal: must be a number from 0"),
        ({"mix": {"reveal": 0}}, "all weights are 0"),
        ({"stages": []}, "stages: give 1 to"),
        ({"stages": [{"seconds": 1}]}, "rate is missing"),
        ({"stages": [{"seconds": 1, "rate": 1, "rat": 1}]}, "rat: unknown key"),
        ({"stages": [{"seconds": "1", "rate": 1}]}, "stages 1.seconds: must be a number"),
        (
            {"stages": [{"name": "a", "seconds": 1, "rate": 1}] * 2},
            "two stages or faults have the same name",
        ),
        ({"stages": [{"name": "all", "seconds": 1, "rate": 1}]}, "one is called 'all'"),
        ({"steps": {"first": 1}}, "either"),
        ({"stages": None, "steps": {"first": 9, "last": 3}}, "steps.last: must be"),
        ({"stages": None, "steps": {}, "thresholds": []}, "a capacity search needs thresholds"),
        ({"stages": [{"seconds": 14_400, "rate": 9_999}], "thresholds": []}, "at most"),
        ({"thresholds": ["p95 sell < 1 s"]}, "'sell' is not measured by this mix"),
        ({"thresholds": ["p95 < 1 s in the evening"]}, "there is no stage or fault 'the evening'"),
        ({"thresholds": "p95 < 1 s"}, "thresholds: must be a list"),
        ({"faults": [{"kind": "flood"}]}, "faults 1: kind: must be one of rpc-429"),
        ({"faults": [{"kind": "rpc-429", "at_s": 3}]}, "faults 1: for_s: must be a number"),
        ({"faults": [{**FAULT, "for_s": 26}]}, "for_s: must be a number from 0.1 to 25"),
        ({"faults": [{**FAULT, "share": 0.5}]}, "share: only rpc-429 has one"),
        ({"faults": [{**FAULT, "at": 3}]}, "faults 1: at: unknown key"),
        ({"faults": [FAULT, FAULT]}, "begins before"),
        ({"faults": [{**FAULT, "at_s": 15}]}, "ends at 20 s, the load at 17 s"),
        ({"faults": [{**FAULT, "name": "up"}]}, "two stages or faults have the same name"),
        ({"workers": 0}, "workers: must be a whole number from 1"),
    ],
)
def test_what_is_wrong_and_where(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match="mine: ") as refused:
        made(**changes)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_or_not_toml(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_profile(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("arrival = ")
    with pytest.raises(UsageError, match=r"bad\.toml: is not TOML"):
        read_profile(tmp_path / "bad.toml")
