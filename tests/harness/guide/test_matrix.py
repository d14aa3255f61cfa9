"""The matrix: all of the guide's lines, honest about gaps and about what was not played."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harness.guide.items import Item, items
from harness.guide.matrix import NOT_RUN, Story, collect_stories, last_results, matrix
from harness.run.selection import collection_arguments


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    """Every scenario that `harness run all` plays."""
    return collect_stories(collection_arguments("all"))


def gaps(stories: list[Story]) -> list[str]:
    return [row.item.id for row in matrix(stories, {}) if row.verdict == "gap"]


def test_no_line_of_the_guide_is_a_gap(stories: list[Story]) -> None:
    assert gaps(stories) == []


def test_a_removed_mark_is_a_gap(stories: list[Story]) -> None:
    for line in items():
        without = [
            dataclasses.replace(one, covers=tuple(set(one.covers) - {line})) for one in stories
        ]
        assert gaps(without) == [line]


def test_a_new_line_is_a_gap(stories: list[Story], monkeypatch: pytest.MonkeyPatch) -> None:
    more = {**items(), "testing.new": Item("testing.new", "Testing checklist", "Something new")}
    monkeypatch.setattr("harness.guide.matrix.items", lambda: more)
    assert gaps(stories) == ["testing.new"]


def test_every_checklist_is_there() -> None:
    sections = [item.section for item in items().values()]
    counted = {section: sections.count(section) for section in dict.fromkeys(sections)}
    assert counted == {
        "Testing checklist": 9,
        "Post-deployment monitoring": 6,
        "Common issues": 6,
        "Security: do": 10,
        "Security: do not": 10,
        "Upgrade path": 6,
    }


def test_gaps_and_results_are_told() -> None:
    stories = [
        Story("test_a::test_one", "one", ("testing.full-flow", "issues.uri-too-long"), ()),
        Story("test_a::test_two", "two", ("testing.full-flow",), ()),
        Story("test_a::test_three", "three", ("do.rate-limits",), ()),
    ]
    results = {"test_a::test_one": "passed", "test_a::test_two": "failed"}
    rows = {row.item.id: row for row in matrix(stories, results)}
    assert rows["testing.full-flow"].verdict == "failed"
    assert rows["issues.uri-too-long"].verdict == "passed"
    assert rows["do.rate-limits"].verdict == NOT_RUN
    assert rows["upgrade.new-config"].verdict == "gap"


def test_the_newest_result_counts(tmp_path: Path) -> None:
    for run, outcome in (("2026-01-01T000000Z", "failed"), ("2026-01-02T000000Z", "passed")):
        (tmp_path / run).mkdir()
        content = {"scenarios": [{"name": "test_a::test_one", "outcome": outcome}]}
        (tmp_path / run / "summary.json").write_text(json.dumps(content))
    (tmp_path / "2026-01-03T000000Z").mkdir()
    (tmp_path / "2026-01-03T000000Z" / "summary.json").write_text("{half")
    assert last_results(tmp_path) == {"test_a::test_one": "passed"}
    assert last_results(tmp_path / "none") == {}
