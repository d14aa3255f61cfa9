"""`harness validity`: feed the methods with known truth and write down what came out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status


def validity(
    subject: Annotated[str, typer.Argument(help="odds, treasury or all.")],
    part: Annotated[
        str | None, typer.Option(help="Only one part, such as size; the others stay as they are.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Repeats the same figures.")] = 1,
    scale: Annotated[
        float, typer.Option(min=0.001, max=10, help="Share of the committed sizes to run.")
    ] = 1.0,
    page: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/validity.md"),
) -> None:
    """Prove the statistics: size, power and reference values, written into docs/validity.md.

    Exit code 0 if every figure is within its bound, 1 if one is not.

    ```
    harness validity odds
    harness validity odds --part size --scale 0.1 --page /tmp/validity.md
    ```
    """
    from harness.errors import EXIT_FAILED, EXIT_PASSED
    from harness.validity.page import write_part
    from harness.validity.parts import parts_of

    console = Console(stderr=True, highlight=False)
    passed = True
    for name, function in parts_of(subject, part).items():
        with console.status(name) as status:
            done = function(seed, scale, partial(_show, status, name))
        write_part(page, name, done.text)
        console.print(f"{'passed' if done.passed else 'FAILED'}  {name}")
        passed &= done.passed
    raise typer.Exit(EXIT_PASSED if passed else EXIT_FAILED)


def _show(status: Status, name: str, words: str) -> None:
    status.update(f"{name}: {words}")
