"""What the commands of `harness treasury` share: options, reading, progress, what is kept."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from harness.errors import EXIT_INTERRUPTED, UsageError

if TYPE_CHECKING:
    from harness.treasury.scenario import Scenario
    from harness.treasury.scenario_file import Study

ScenarioFile = Annotated[
    Path | None, typer.Argument(help="A treasury.toml. Default: the guide's numbers.")
]
Paths = Annotated[int, typer.Option(help="Paths to play.")]
Seed = Annotated[int, typer.Option(min=0, help="Repeats the same draws.")]
Workers = Annotated[int, typer.Option(min=1, max=256, help="Processes of this machine.")]
Dask = Annotated[str | None, typer.Option(help="A Dask scheduler, such as tcp://127.0.0.1:8786.")]


def study_of(path: Path | None) -> Study:
    """What a treasury.toml says; without one the guide's numbers."""
    from harness.treasury.scenario_file import Study, read_study

    return Study() if path is None else read_study(path)


def scenario_of(path: Path | None) -> Scenario:
    return study_of(path).scenario


def changed(settings: Any, **options: Any) -> Any:
    """Settings of a file with those options in their place that were given."""
    return dataclasses.replace(
        settings, **{name: value for name, value in options.items() if value is not None}
    )


def choices_of(written: list[str]) -> dict[str, list[float]]:
    choices: dict[str, list[float]] = {}
    for one in written:
        name, _, values = one.partition("=")
        try:
            choices[name] = [float(value) for value in values.split(",")]
        except ValueError:
            raise UsageError(f"--vary {one!r}: must be name=number,number,...") from None
    return choices


@contextmanager
def progress_bar(what: str) -> Iterator[Any]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, wanted: bar.update(task, completed=done, total=wanted)


@contextmanager
def crew_and_progress(workers: int, dask: str | None, what: str) -> Iterator[tuple[Any, Any]]:
    """A crew that stays until the end of the command, and its progress bar."""
    from harness.treasury.workers import Crew

    with progress_bar(what) as progress, Crew(workers, dask) as crew:
        yield crew, progress


def leave_if_interrupted(interrupted: bool, what: str) -> None:
    """After Ctrl-C: say what was kept, and exit 130."""
    if interrupted:
        Console(stderr=True, highlight=False).print(f"interrupted: {what}", soft_wrap=True)
        raise typer.Exit(EXIT_INTERRUPTED)


def print_rows(rows: list[tuple[str, str]]) -> None:
    console = Console(highlight=False)
    for name, value in rows:
        console.print(f"{name:58} {value}", soft_wrap=True)


def table_of(*headings: str) -> Table:
    """A table that folds what is too wide for the terminal, and never cuts it off."""
    return Table(*(Column(heading, overflow="fold") for heading in headings))


def keep(runs: Path, content: dict[str, Any]) -> None:
    from harness.run.folder import new_run_folder, write_json

    folder = new_run_folder(runs, datetime.now(UTC))
    write_json(folder / "treasury.json", _in_json(content))
    Console(highlight=False).print(f"results: {folder / 'treasury.json'}", soft_wrap=True)


def _in_json(content: Any) -> Any:
    """The same with null for numbers that JSON does not have: an interval without an end."""
    if isinstance(content, dict):
        return {key: _in_json(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_in_json(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def plain(row: Any) -> Any:
    from harness.treasury.scenario import describe

    told = describe(row)
    return {key: value for key, value in told.items() if key != "kind"}


def figure(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def share_and_interval(estimate: Any) -> str:
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
