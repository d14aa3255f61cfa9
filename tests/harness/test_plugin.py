"""The pytest plugin: a scenario of anybody's, judged, with its verdict and replay command."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

HONEST = '''
def test_honest(testbed):
    """A player mints and keeps."""
    testbed.player().mint()
'''

ROTTEN = '''
from sqlalchemy import text

def test_rotten(testbed):
    """A payment is recorded that never happened."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    with testbed.engine.begin() as connection:
        connection.execute(text("update user_skins set is_burned_back = true"))
'''

WRONG = '''
def test_wrong(testbed):
    """Somebody expects what is not so."""
    assert testbed.balance_lamports(testbed.deployment.treasury) == 0
'''

STARVED = """
import pytest

@pytest.mark.testbed(items_available=0, unknown=1)
def test_starved(testbed):
    pass
"""


TOLD_TWICE = """
import pytest

@pytest.mark.nightly
def test_by_night(testbed):
    draw(testbed)

def test_by_day(testbed):
    draw(testbed)

def draw(testbed):
    player = testbed.player(lamports=10**10)
    for _ in range(12):
        player.reveal(player.mint())
"""


def play(tmp_path: Path, source: str) -> tuple[int, str, list[dict[str, object]]]:
    folder = tmp_path / "run"
    (folder / "logs").mkdir(parents=True)
    (tmp_path / "test_mine.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:pytest_anchorpy", "--seed", "9",
         "--run-folder", str(folder), "--rootdir", str(tmp_path), "test_mine.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    lines = [
        json.loads(line)
        for path in sorted((folder / "scenarios").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return done.returncode, done.stdout, lines


def test_an_honest_scenario_passes(tmp_path: Path) -> None:
    code, output, lines = play(tmp_path, HONEST)
    assert code == 0, output
    assert lines[0]["kind"] == "scenario"
    assert lines[0]["title"] == "A player mints and keeps"
    assert lines[-1]["outcome"] == "passed"
    assert sum(line["kind"] == "check" for line in lines) == 6


def test_what_the_judges_find_fails_the_test(tmp_path: Path) -> None:
    code, output, lines = play(tmp_path, ROTTEN)
    assert code == 1
    assert "burnt, paid and recorded: nft-1: burnt 0x" in output
    assert lines[-1]["outcome"] == "failed"
    mine = shlex.quote(str(tmp_path / "test_mine.py"))
    assert lines[-1]["replay"] == f"harness run {mine} --seed 9 -k test_rotten"


def test_a_failed_assertion_is_judged_all_the_same(tmp_path: Path) -> None:
    code, _, lines = play(tmp_path, WRONG)
    assert code == 1
    assert lines[-1]["outcome"] == "failed"
    assert sum(line["kind"] == "check" for line in lines) == 6


def test_unknown_settings_are_told(tmp_path: Path) -> None:
    code, output, _ = play(tmp_path, STARVED)
    assert code == 1
    assert "unknown: unknown key" in output


def test_a_nightly_story_draws_afresh_under_the_same_seed(tmp_path: Path) -> None:
    """Twelve skins of 25 or more are the same in two honest nights less than once in a million;
    by day the seed repeats them."""
    drawn = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        code, _, lines = play(folder, TOLD_TWICE)
        assert code == 0
        drawn.append(
            {
                when: [
                    line["skin"]
                    for line in lines
                    if line["kind"] == "reveal" and when in str(line["scenario"])
                ]
                for when in ("by_day", "by_night")
            }
        )
    assert len(drawn[0]["by_night"]) == len(drawn[0]["by_day"]) == 12
    assert drawn[0]["by_day"] == drawn[1]["by_day"]
    assert drawn[0]["by_night"] != drawn[1]["by_night"]
