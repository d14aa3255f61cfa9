"""`harness compare`: what changed between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape


def compare(
    earlier: Annotated[Path, typer.Argument(help="The folder of the run to compare with.")],
    later: Annotated[Path, typer.Argument(help="The folder of the run in question.")],
) -> None:
    """Compare two runs: new failures, slower scenarios, more compute units.

    Exit code 1 if something fails in the later run that did not fail in the earlier one. Seconds
    are compared for a person's eye only; machines differ.

        harness compare runs/2026-11-23T101500Z runs/2026-11-24T101500Z
    """
    from harness.errors import EXIT_FAILED, EXIT_PASSED
    from harness.report.compare import compare as compare_runs
    from harness.report.compare import read_summary

    console = Console(highlight=False)
    found = compare_runs(read_summary(earlier), read_summary(later))
    for title, lines in (
        ("newly failing", found.new_failures),
        ("mended", found.mended),
        ("not played any more", found.gone),
        ("slower", found.slower),
        ("more compute units", found.dearer),
    ):
        if lines:
            console.print(f"[bold]{title}[/bold]")
            for line in lines:
                console.print(f"  {escape(line)}", soft_wrap=True)
    console.print("nothing fails that did not fail before" if found.passed else "FAILED: see above")
    raise typer.Exit(EXIT_PASSED if found.passed else EXIT_FAILED)
