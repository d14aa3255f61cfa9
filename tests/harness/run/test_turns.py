"""Seeds and repeats: which turns are asked for, and that each is told on its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.errors import UsageError
from harness.run.folder import JUNIT_OF_A_TURN, add_junit, drop_journals, journal_path
from harness.run.turns import Turn, turns, without_turn

HARNESS = str(Path(sys.executable).with_name("harness"))


def test_a_range_and_repeats() -> None:
    assert turns("7", None, 1) == [Turn("7")]
    assert turns("7", None, 2) == [Turn("7", 1), Turn("7", 2)]
    assert [str(one) for one in turns("7", "9..10", 2)] == [
        "seed=9", "seed=9#2", "seed=10", "seed=10#2",
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["", "5", "9..3", "a..b", "-1..2", "0..999999"])
def test_a_wrong_range_is_told(written: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        turns("1", written, 1)


def test_too_much_is_refused() -> None:
    with pytest.raises(UsageError, match="more than"):
        turns("1", "1..9000", 2)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("test_a::test_b[seed=7]", "test_a::test_b"),
        ("test_a::test_b[rich-seed=7]", "test_a::test_b[rich]"),
        ("test_a::test_b[seed=7-rich]", "test_a::test_b[rich]"),
        ("test_a::test_b", "test_a::test_b"),
    ],
)
def test_the_scenarios_own_name(name: str, own: str) -> None:
    assert without_turn(name, Turn("7")) == own


def test_parallel_workers_tell_what_one_process_tells(tmp_path: Path) -> None:
    """Two workers and two seeds: the journals of each seed are those of a run with that seed, and
    the JUnit file has each scenario's properties."""
    run = ("run", "flow", "-k", "life_cycle", "--runs")
    both = [HARNESS, *run, str(tmp_path / "both"), "--workers", "2", "--seeds", "7..8"]
    done = subprocess.run(both, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    alone = [HARNESS, *run, str(tmp_path / "alone"), "--seed", "8"]
    subprocess.run(alone, capture_output=True, text=True, timeout=120, check=True)
    (folder,) = (tmp_path / "both").iterdir()
    (other,) = (tmp_path / "alone").iterdir()
    written = (folder / "scenarios" / "test_flow--test_one_life_cycle-seed-8.jsonl").read_text()
    expected = (other / "scenarios" / "test_flow--test_one_life_cycle.jsonl").read_text()
    assert written.replace("[seed=8]", "") == expected

    cases = ElementTree.parse(folder / "junit.xml").getroot().iter("testcase")
    properties = [{one.get("name"): one.get("value") for one in case.iter("property")}
                  for case in cases]  # fmt: skip
    assert sorted(one["seed"] or "" for one in properties) == ["7", "8"]
    assert all((one["replay"] or "").startswith("harness run all --seed") for one in properties)
    facts = json.loads((folder / "run.json").read_text())
    assert facts["workers"] == 2
    assert 0 < facts["memory_bytes_max"] < 400 * 10**6
    assert facts["told"] == {"passed": 2, "failed": 0, "skipped": 0}
    assert facts["processor_seconds"] > 1
    assert "seed=8: 1 passed, 0 failed, 0 skipped" in done.stderr


def test_turns_go_into_one_junit_file(tmp_path: Path) -> None:
    for turn in ("one", "two"):
        text = f'<?xml version="1.0"?><testsuites name="x"><testsuite name="{turn}"/></testsuites>'
        (tmp_path / JUNIT_OF_A_TURN).write_text(text)
        add_junit(tmp_path)
    add_junit(tmp_path)  # a turn that was cut off wrote none
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert [one.get("name") for one in suites] == ["one", "two"]
    assert not (tmp_path / JUNIT_OF_A_TURN).exists()


def test_a_soak_keeps_what_failed(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    for name in ("a[seed=1]", "a[seed=2]"):
        journal_path(tmp_path, name).touch()
    drop_journals(tmp_path, ["a[seed=1]", "never written"])
    assert list((tmp_path / "scenarios").iterdir()) == [journal_path(tmp_path, "a[seed=2]")]
