"""`--runs` of a command that computes first and writes then: looked at before anything is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import UsageError


def _writable(runs: Path) -> Path:
    """The same folder, if results could be put there now. Raises UsageError if not.

    Nothing is made yet: a command that is refused for another reason leaves nothing behind.
    """
    there = next(one for one in (runs, *runs.absolute().parents) if os.path.exists(one))
    if not there.is_dir():
        raise UsageError(f"{runs}: cannot be made: {there} is no folder; see --runs")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{runs}: cannot be written: no permission for {there}; see --runs")
    return runs


Runs = Annotated[Path, typer.Option(help="Folder for the results of runs.", callback=_writable)]
