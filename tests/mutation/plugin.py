"""Plays each scenario with its mutation and turns the verdicts round: red is what is wanted.

    python -m pytest -p tests.mutation.plugin -p no:pytest_anchorpy -o addopts= \
        --import-mode=importlib -n 2 scenarios --mutation-table docs/mutations.md

Passes if every scenario fails with its subject broken. A scenario without a mutation fails too.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.players.api import ApiRefusal
from harness.plugin import ScenarioFindings, scenario_name
from tests.mutation.registry import mutation_of

_HEAD = """# What each scenario notices

Each scenario was played with the defect beside it, and failed: by what its story asserts, or by a
judge. Made by the command in [the launch gate](gate.md).

| scenario | defect | caught by |
| --- | --- | --- |
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutation-table", type=Path, help="Markdown file for what caught which")


def pytest_configure(config: pytest.Config) -> None:
    table = config.getoption("--mutation-table")
    if table is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Table(table))


class _Table:
    """Collects what caught each mutation, from all workers, and writes it down if none survived."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._rows |= {row for name, row in report.user_properties if name == "caught"}

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.OK:
            self._path.write_text(_HEAD + "".join(sorted(self._rows)), encoding="utf-8")


def _caught_by(error: BaseException | None) -> str:
    if isinstance(error, ScenarioFindings):
        judges = [line.strip().partition(":")[0] for line in str(error).splitlines()[1:]]
        return "judge: " + "; ".join(dict.fromkeys(judges))
    if isinstance(error, ApiRefusal):
        return f"story: refused with {error.code}"
    if isinstance(error, pytest.fail.Exception):
        return "story: went through, and should be refused"
    return f"story: {type(error).__name__}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    mutation = mutation_of(item.name, getattr(item, "originalname", item.name))
    with ExitStack() as stack:
        if mutation is not None:
            stack.enter_context(mutation.apply(getattr(item, "module", None)))
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure of the story, or of its setting up, is what is wanted."""
    report = yield
    mutation = mutation_of(item.name, getattr(item, "originalname", item.name))
    if report.when != "teardown" and report.failed:
        caught = _caught_by(call.excinfo.value if call.excinfo else None)
        name = mutation.name if mutation is not None else "none"
        report.user_properties.append(
            ("caught", f"| {scenario_name(item)} | {name} | {caught} |\n".replace("test_", ""))
        )
        report.outcome, report.longrepr = "passed", None
        if report.when == "setup":
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, "caught while setting up")
    elif report.when == "call" and report.passed:
        told = "has no mutation" if mutation is None else f"did not notice: {mutation.name}"
        report.outcome, report.longrepr = "failed", f"{item.name} {told}"
    return report
