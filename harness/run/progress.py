"""What a person sees while scenarios are played: one line each, and who is on stage now.

Takes the place of pytest's terminal reporter in `harness run`. On a terminal the running scenario
is shown with its seconds; elsewhere only the lines of finished ones are printed.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from harness.peak_memory import memory_bytes_max
from harness.plugin import scenario_name
from harness.run.turns import Turn

_SIGNS = {
    "passed": "[green]passed [/green]",
    "failed": "[red]FAILED [/red]",
    "skipped": "[yellow]skipped[/yellow]",
}


class Progress:
    """A pytest plugin object; also collects verdicts and durations for run.json."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.verdicts: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.errors: list[str] = []
        self.exit_reason = ""
        #: What a worker said that could not start its environment.
        self.start_error = ""
        #: Of several turns one line each, instead of one for each scenario.
        self.brief = False
        self.memory_bytes: dict[str, int] = {}
        self._told = dict.fromkeys(("passed", "failed", "skipped"), 0)
        self._status: Status | None = None
        self._started = time.monotonic()
        self._names: dict[str, str] = {}
        self._count = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._names = {item.nodeid: scenario_name(item) for item in session.items}
        self._begin(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        if self._status is None:
            self._begin(len(ids))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        output = getattr(node, "workeroutput", {})
        self.start_error = self.start_error or output.get("start_error", "")
        name = str(getattr(getattr(node, "gateway", None), "id", "worker"))
        peak = output.get("memory_bytes_max") or 0
        self.memory_bytes[name] = max(peak, self.memory_bytes.get(name, 0))
        if error is not None and not self.start_error:
            self._error("a worker process", str(error))

    def _begin(self, count: int) -> None:
        self._count = count
        if self.console.is_terminal and count:
            self._status = self.console.status("starting the testbed ...")
            self._status.start()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._error(report.nodeid, report.longreprtext)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._status is not None:
            self._status.update(f"{len(self.verdicts) + 1}/{self._count} {_story(nodeid)} ...")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties).get("scenario")
        name = str(told or self._names.get(report.nodeid, report.nodeid))
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration
        if report.failed:
            self.verdicts[name] = "failed"
        elif report.when == "call" or (report.when == "setup" and report.skipped):
            self.verdicts[name] = report.outcome
        if report.failed:
            self._error(report.nodeid, report.longreprtext)
        verdict = self.verdicts.get(name, "passed")
        if report.when == "teardown" and not (self.brief and verdict == "passed"):
            self.console.print(
                f"{_SIGNS[verdict]} {escape(_story(report.nodeid))} "
                f"[dim]{self.seconds[name]:.1f} s[/dim]",
                soft_wrap=True,
            )

    def pytest_internalerror(self, excrepr: object) -> bool:
        if not self.start_error:  # xdist asserts that a worker which ends has nothing left to play
            self._error("pytest", str(excrepr))
        return True  # told; pytest need not tell it as well

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if isinstance(excinfo.value, pytest.exit.Exception):
            self.exit_reason = str(excinfo.value.msg)
        elif not isinstance(excinfo.value, pytest.Session.Interrupted):  # -x, an unreadable file
            self.console.print("[yellow]interrupted[/yellow]; what was played is kept")

    def pytest_unconfigure(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def tally(self, turn: Turn, seconds: float) -> None:
        """What a turn came to, and all turns so far, in one line."""
        counted = self.counted
        told = ", ".join(f"{count - self._told[kind]} {kind}" for kind, count in counted.items())
        self._told = counted
        failed = f"[red]{counted['failed']} failed[/red]" if counted["failed"] else "none failed"
        self.console.print(
            f"{turn}: {told} in {seconds:.0f} s; of {len(self.verdicts)} so far {failed}, "
            f"at most {(self.memory_bytes_max or 0) // 2**20} MiB a process",
            soft_wrap=True,
        )

    def _error(self, nodeid: str, text: str) -> None:
        self.errors.append(nodeid)
        self.console.print(f"[red]{escape(_story(nodeid))}[/red]", soft_wrap=True)
        self.console.print(escape(text.strip()), soft_wrap=True)

    @property
    def counted(self) -> dict[str, int]:
        """Scenarios by verdict."""
        verdicts = list(self.verdicts.values())
        return {kind: verdicts.count(kind) for kind in ("passed", "failed", "skipped")}

    @property
    def memory_bytes_max(self) -> int | None:
        """The most that any process which played scenarios has held at once."""
        return max(self.memory_bytes.values(), default=0) or memory_bytes_max()

    @property
    def elapsed_seconds(self) -> float:
        return time.monotonic() - self._started


def _story(nodeid: str) -> str:
    """`test_flow.py::test_sell_or_keep` told as `flow: sell or keep`."""
    file, _, test = nodeid.rpartition("::")
    if not file:
        return nodeid
    theme = file.rpartition("/")[2].removesuffix(".py").removeprefix("test_")
    return f"{theme}: {test.removeprefix('test_').replace('_', ' ')}"
