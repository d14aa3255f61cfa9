"""Plays each scenario with its mutation and turns the verdicts round: red is what is wanted.

    python -m pytest -p tests.mutation.plugin -o addopts= --import-mode=importlib \
        -p no:pytest_anchorpy scenarios

Passes if every scenario fails with its subject broken. A scenario without a mutation fails too.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.mutation.registry import mutation_of

_CAUGHT = pytest.StashKey[str]()


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
        item.stash[_CAUGHT] = str(call.excinfo.value if call.excinfo else "")[:200]
        report.outcome, report.longrepr = "passed", None
        if report.when == "setup":
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, "caught while setting up")
    elif report.when == "call" and report.passed:
        told = "has no mutation" if mutation is None else f"did not notice: {mutation.name}"
        report.outcome, report.longrepr = "failed", f"{item.name} {told}"
    return report
