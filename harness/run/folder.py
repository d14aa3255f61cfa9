"""The run folder: everything that one run leaves behind, in one place.

runs/2026-11-22T101500Z/
    report.html summary.md summary.json   for people and machines
    journal.jsonl                         all that happened, by the testbed's clock
    junit.xml                             for CI systems
    run.json                              what was run, where, with which verdict
    scenarios/*.jsonl logs/               the journals one by one, logs of database and backend
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import UsageError

_NAMES_MAX = 1000

#: What pytest writes; each turn's goes into `junit.xml`.
JUNIT_OF_A_TURN = "junit-turn.xml"
_SUITES = re.compile(rb"(<testsuites[^>]*>)(.*)</testsuites>\s*", re.DOTALL)
_SUITES_END = b"</testsuites>\n"


def new_run_folder(runs: Path, started: datetime) -> Path:
    """Make a folder named after the time; a second run in the same second gets a suffix.

    Raises UsageError if it cannot be made.
    """
    stem = started.strftime("%Y-%m-%dT%H%M%SZ")
    for number in range(_NAMES_MAX):
        folder = runs / (stem if number == 0 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"{folder}: cannot be made ({error.strerror}); see --runs") from None
        (folder / "scenarios").mkdir()
        (folder / "logs").mkdir()
        return folder
    raise UsageError(f"{runs}: has {_NAMES_MAX} runs of this second already")


def journal_path(folder: Path, scenario: str) -> Path:
    """Where one scenario's journal goes."""
    return folder / "scenarios" / f"{slug(scenario)}.jsonl"


def slug(scenario: str) -> str:
    """A scenario's name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", scenario.replace("::", "--")).strip("-")


def merge_journals(folder: Path) -> Path:
    """Join the scenarios' journals, ordered by scenario, into `journal.jsonl`.

    The order does not depend on which worker played what, so that parallel runs give the same
    bytes as serial ones.
    """
    merged = folder / "journal.jsonl"
    part = folder / "journal.jsonl.part"
    with part.open("wb") as out:
        for path in sorted((folder / "scenarios").glob("*.jsonl")):
            out.write(path.read_bytes())
    part.replace(merged)
    return merged


def add_junit(folder: Path) -> None:
    """Put a turn's JUnit suites, if there are any, behind those of the turns before it."""
    turn, whole = folder / JUNIT_OF_A_TURN, folder / "junit.xml"
    if not turn.exists():
        return
    found = _SUITES.search(turn.read_bytes())
    if found is not None:
        with whole.open("r+b" if whole.exists() else "w+b") as out:
            if out.seek(0, os.SEEK_END):
                out.seek(-len(_SUITES_END), os.SEEK_END)
            else:
                out.write(b'<?xml version="1.0" encoding="utf-8"?>' + found[1])
            out.write(found[2] + _SUITES_END)
    turn.unlink()


def drop_journals(folder: Path, scenarios: Iterable[str]) -> None:
    """Throw the journals of these scenarios away, and what their processes logged."""
    for scenario in scenarios:
        journal = journal_path(folder, scenario)
        for path in (journal, journal.with_suffix(".backend.log")):
            path.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, path)
