"""The check-up: what is wrong is said in one line, with a remedy, and nothing raises."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness import doctor
from harness.cli.main import app
from harness.errors import EXIT_ENVIRONMENT, EXIT_PASSED, StartError

RUN = CliRunner()


def fails(error: Exception) -> Callable[[], None]:
    def probe() -> None:
        raise error

    return probe


def command(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which commands are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_this_machine_can_run_the_default() -> None:
    findings = doctor.examine()
    assert doctor.able(findings), findings
    assert len({finding.name for finding in findings}) == len(findings) == 11
    for finding in findings:
        assert "\n" not in finding.detail + finding.remedy


def test_what_is_needed_and_broken_decides_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    good = doctor.Finding("a", True, True, "fine")
    missing = doctor.Finding("b", False, False, "not [here]", "get it")
    monkeypatch.setattr(doctor, "examine", lambda: [good, missing])
    done = RUN.invoke(app, ["doctor"])
    assert done.exit_code == EXIT_PASSED
    assert "not [here] → get it" in done.output
    broken = doctor.Finding("c", False, True, "broken", "mend it")
    monkeypatch.setattr(doctor, "examine", lambda: [good, missing, broken])
    done = RUN.invoke(app, ["doctor"])
    assert done.exit_code == EXIT_ENVIRONMENT
    assert "cannot run" in done.output


def test_a_part_that_does_not_start_shows_its_last_words() -> None:
    finding = doctor.starts("Postgres", fails(StartError("it ended", ["1", "2", "3", "4"])))
    assert not finding.ok
    assert finding.needed
    assert finding.detail == "it ended / 2 / 3 / 4"


@pytest.mark.parametrize("error", [ImportError("no wheel"), OSError(28, "No space left")])
def test_a_part_that_breaks_in_another_way_does_not_break_the_doctor(error: Exception) -> None:
    finding = doctor.starts("ledger", fails(error))
    assert not finding.ok
    assert type(error).__name__ in finding.detail


def test_python_by_version() -> None:
    assert not doctor.python((3, 10, 14)).ok
    assert doctor.python((3, 11, 0)).ok
    assert doctor.python((4, 0, 0)).ok


def test_disk_and_memory_by_their_least() -> None:
    for examination in (doctor.disk, doctor.memory):
        assert examination(least=1).ok
        assert not examination(least=2**60).ok


def test_a_containers_memory_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (
        ("_MEMORY_TABLE", "MemTotal: 9 kB\nMemAvailable: 8388608 kB\n"),
        ("_MEMORY_LIMIT", str(700 * 2**20)),
        ("_MEMORY_USED", str(400 * 2**20)),
    ):
        (tmp_path / name).write_text(content)
        monkeypatch.setattr(doctor, name, tmp_path / name)
    assert doctor.memory().detail == "300 MiB free"
    assert not doctor.memory().ok
    (tmp_path / "_MEMORY_LIMIT").write_text("max\n")
    assert doctor.memory().detail == "8.0 GiB free"
    (tmp_path / "_MEMORY_TABLE").unlink()
    assert doctor.memory().ok


def test_docker_in_its_three_states(bin_folder: Path) -> None:
    assert doctor.docker().detail == "no docker command"
    command(bin_folder, "docker", "echo cannot connect >&2; exit 1")
    assert doctor.docker().detail == "its engine does not answer"
    images = "".join(f"echo image-{number}:1;" for number in (1, 1, 2, 3, 4, 5, 6, 7))
    command(bin_folder, "docker", f'case "$1" in version) echo 28.1;; image) {images} esac')
    finding = doctor.docker()
    assert finding.ok
    assert finding.detail.startswith("engine 28.1; images: image-1:1, image-2:1")
    assert finding.detail.endswith("and 1 more")


def test_a_command_that_hangs_is_not_waited_for(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_COMMAND_SECONDS_MAX", 0.1)
    command(bin_folder, "docker", "exec /bin/sleep 20")
    assert doctor.docker().detail == "its engine does not answer"


def test_tools(bin_folder: Path) -> None:
    absent = doctor.tool(("one", "two"), "Tool", "dig", "buy one")
    assert (absent.ok, absent.needed) == (False, False)
    assert absent.detail == "not here: cannot dig"
    command(bin_folder, "two", "echo Two 2.0; echo more")
    assert doctor.tool(("one", "two"), "Tool", "dig", "buy one").detail == "Two 2.0: can dig"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot confine a process here")
def test_processors_are_those_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert doctor.processors().detail == "1"
    finally:
        os.sched_setaffinity(0, allowed)
