"""A run on one's own terms: another price, another till, a start yet to come, another treasury."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.candy_config import DEFAULT_PATH
from harness.clock import SystemClock
from harness.deployment_file import find_deployment, read_deployment_file
from harness.errors import UsageError
from harness.ledger.embedded import START
from harness.run.session import RunOptions, RunSession
from harness.seeds import Seed
from harness.testbed import Testbed

HARNESS = str(Path(sys.executable).with_name("harness"))
#: Those that look at price, till, tax, start or stock.
STORIES = (
    "life_cycle or sell_or_keep or race or sells_out or taxed or poor or forgotten or go_live or "
    "limit_holds or oneself or promise_each"
)
TILL = Seed("tests/own machine").keypair("till").pubkey()
DEAR = {"value": 4.5, "destination": str(TILL)}
CHEAP = {"value": 0.001, "destination": str(TILL)}


def config(folder: Path, payment: dict[str, Any], **guards: Any) -> Path:
    """The guide's config.json with other terms."""
    terms = json.loads(DEFAULT_PATH.read_text())
    terms |= {"price": None, "number": 10, "symbol": "OWN"}
    terms["guards"]["default"] |= {"solPayment": payment, **guards}
    path = folder / "config.json"
    path.write_text(json.dumps(terms))
    return path


def start_in(days: float, now: datetime) -> dict[str, str]:
    return {"date": (now + timedelta(days=days)).isoformat()}


def run(folder: Path, stories: str, *options: str | Path) -> tuple[str, Counter[str]]:
    """What `harness run` told at its end, and how many scenarios ended in which way."""
    done = subprocess.run(
        [HARNESS, "run", "all", "-k", stories, *options],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (summary,) = folder.glob("runs/*/summary.json")
    scenarios = json.loads(summary.read_text())["scenarios"]
    return done.stdout, Counter(one["outcome"] for one in scenarios)


@pytest.mark.parametrize(
    ("payment", "guards", "expected"),
    [
        (DEAR, {"startDate": start_in(400, START)}, {"passed": 12}),
        (CHEAP, {"botTax": None}, {"passed": 10, "skipped": 2}),
    ],
    ids=["dear and not begun", "cheap and untaxed"],
)
def test_every_story_about_the_machine_is_told_of_this_one(
    payment: dict[str, Any], guards: dict[str, Any], expected: dict[str, int], tmp_path: Path
) -> None:
    told, outcomes = run(tmp_path, STORIES, "--config", config(tmp_path, payment, **guards))
    assert outcomes == expected
    untaxed = "skipped" in expected
    reason = "skipped: 2, needs a machine whose botTax has a value and lastInstruction"
    assert (reason in told) == untaxed
    assert (" 0 bot taxes" in told) == untaxed


def test_every_story_about_the_treasury_is_told_with_other_numbers(tmp_path: Path) -> None:
    settings = tmp_path / "testbed.toml"
    settings.write_text(
        'buyback_rate = "0.7"\nsol_usd = "95.5"\npropagation_seconds = 3\n'
        "treasury_lamports = 60_000_000_000\nmin_treasury_lamports = 10_000_000_000\n"
    )
    stories = "upgrade or oracle or low_treasury or price_moves or minimum_balance or life_cycle"
    _, outcomes = run(tmp_path, stories, "--testbed", settings)
    assert outcomes == {"passed": 11}


def test_a_start_to_come_is_refused_where_time_can_not_be_moved(tmp_path: Path) -> None:
    written = config(tmp_path, DEAR, startDate=start_in(1, SystemClock().now()))
    options = RunOptions("1", tmp_path, written, ledger="http://127.0.0.1:1")
    with pytest.raises(UsageError, match=r"config.json: guards.default.startDate: nobody can mint"):
        RunSession(options)


def test_a_machine_that_somebody_else_has_not_opened_yet_is_told(
    testbed: Testbed, tmp_path: Path
) -> None:
    names = (
        "candy_machine", "candy_guard", "collection_mint", "buyback_program", "buyback_config",
        "treasury",
    )  # fmt: skip
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps({name: str(getattr(testbed.deployment, name)) for name in names}))
    file = read_deployment_file(path)
    assert find_deployment(file, testbed.client).config.start_date is None
    start = (testbed.clock.now() + timedelta(days=30)).replace(second=0, microsecond=0)
    testbed.operator.open_on(start)
    with pytest.raises(UsageError, match=f"nobody can mint before {start:%Y-%m-%d %H:%M} UTC"):
        find_deployment(file, testbed.client)
    testbed.clock.sleep(31 * 24 * 3600)
    assert find_deployment(file, testbed.client).config.start_date == start
