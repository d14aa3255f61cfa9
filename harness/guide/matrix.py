"""Guide item x scenario x last result: what a launch is signed off against.

Which scenario covers which line is said by the scenarios themselves, in their `guide` markers;
how each ended last is read from the run folders. A line that no scenario covers is a gap, and a
gap is shown, never hidden.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.guide.items import Item, items
from harness.plugin import first_sentence, scenario_name, story_of
from harness.run.selection import only_our_plugin

NOT_RUN = "not run"
_RUNS_READ_MAX = 200


@dataclass(frozen=True)
class Story:
    """A scenario as far as the matrix knows it."""

    name: str
    title: str
    covers: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One line of the guide with the stories that cover it and how each ended last."""

    item: Item
    results: tuple[tuple[Story, str], ...] = field(default=())

    @property
    def verdict(self) -> str:
        """`gap`, or the worst of its stories' last results."""
        found = {result for _, result in self.results}
        for worst in ("failed", NOT_RUN, "skipped", "passed"):
            if worst in found:
                return worst
        return "gap"


class _Collector:
    """A pytest plugin object that keeps what was collected."""

    def __init__(self) -> None:
        self.stories: list[Story] = []
        self.errors: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(f"{report.nodeid}: {report.longreprtext.splitlines()[-1]}")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            self.stories.append(
                Story(
                    scenario_name(item),
                    first_sentence(story_of(item)),
                    tuple(_arguments(item, "guide")),
                    tuple(_arguments(item, "needs")),
                )
            )


def _arguments(item: pytest.Item, marker: str) -> Iterator[str]:
    seen = {str(argument) for mark in item.iter_markers(marker) for argument in mark.args}
    yield from sorted(seen)


def collect_stories(arguments: list[str]) -> list[Story]:
    """Every scenario that the arguments select, without playing any.

    Raises UsageError if a file cannot be read or a marker names no line of the guide.
    """
    collector = _Collector()
    with contextlib.redirect_stdout(io.StringIO()), only_our_plugin():
        pytest.main([*arguments, "--collect-only"], plugins=[collector])
    if collector.errors:
        raise UsageError(f"scenarios cannot be read: {collector.errors[0]}")
    for story in collector.stories:
        if unknown := sorted(set(story.covers) - set(items())):
            raise UsageError(
                f"{story.name}: covers {unknown[0]!r}, which is no line of the guide; "
                "harness/guide/items.toml lists them"
            )
    return collector.stories


def last_results(runs: Path) -> dict[str, str]:
    """How each scenario ended when it was last played, from the newest run folders."""
    found: dict[str, str] = {}
    if not runs.is_dir():
        return found
    folders = sorted((one for one in runs.iterdir() if one.is_dir()), reverse=True)
    for folder in folders[:_RUNS_READ_MAX]:
        summary = folder / "summary.json"
        if not summary.exists():
            continue
        try:
            scenarios = json.loads(summary.read_text(encoding="utf-8"))["scenarios"]
            for one in scenarios:
                found.setdefault(one["name"], one["outcome"])
        except (ValueError, KeyError, TypeError):
            continue  # somebody else's file, or one of an older form
    return found


def matrix(stories: list[Story], results: dict[str, str]) -> list[Row]:
    """One row for each line of the guide, in the guide's order."""
    return [
        Row(
            item,
            tuple(
                (story, results.get(story.name, NOT_RUN))
                for story in stories
                if item.id in story.covers
            ),
        )
        for item in items().values()
    ]
