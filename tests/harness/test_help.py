"""`--help` as a person reads it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from typer.testing import CliRunner

from harness.cli.main import app


def commands(of: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, one in getattr(of, "commands", {}).items():
        yield (*path, name), one
        yield from commands(one, (*path, name))


def test_every_example_has_a_line_of_its_own() -> None:
    """Markdown ran them together: harness treasury rare harness treasury rare treasury.toml."""
    examples = 0
    for path, one in commands(typer.main.get_command(app)):
        shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"}).output
        lines = [line.strip() for line in shown.splitlines()]
        for line in inspect.cleandoc(one.help or "").splitlines():
            if line.strip().startswith("harness "):
                assert line.strip() in lines, path
                examples += 1
    assert examples > 40
