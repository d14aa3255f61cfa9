"""`harness scenarios`: what there is to play, and what of the guide it covers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

_COLOURS = {"passed": "green", "failed": "red", "gap": "red", "skipped": "yellow"}


def scenarios(
    suite: Annotated[str, typer.Argument(help="Which; `harness suites` lists them.")] = "all",
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Guide item x scenario x last result.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same for machines.")] = False,
    runs: Annotated[Path, typer.Option(help="Where last results are read from.")] = Path("runs"),
) -> None:
    """List the scenarios, each with the lines of the production guide that it covers.

    With --matrix the other way round: every line of the guide's checklists, the scenarios that
    cover it and how each ended last. Exit code 1 if a line is covered by no scenario.

        harness scenarios
        harness scenarios buyback
        harness scenarios --matrix
        harness scenarios --matrix --json > matrix.json
    """
    from harness.errors import EXIT_FAILED
    from harness.guide.matrix import collect_stories, last_results
    from harness.guide.matrix import matrix as make_matrix
    from harness.run.selection import collection_arguments

    console = Console(highlight=False)
    stories = collect_stories(collection_arguments(suite))
    results = last_results(runs)
    if not matrix:
        if as_json:
            typer.echo(json.dumps([vars(story) for story in stories], indent=2))
            return
        for story in stories:
            console.print(f"[bold]{escape(story.name)}[/bold]", soft_wrap=True)
            console.print(f"  {escape(story.title)}", soft_wrap=True)
            if story.covers:
                console.print(f"  [dim]covers {', '.join(story.covers)}[/dim]", soft_wrap=True)
        return
    rows = make_matrix(stories, results)
    if as_json:
        content = [
            {
                "item": row.item.id,
                "section": row.item.section,
                "text": row.item.text,
                "verdict": row.verdict,
                "scenarios": {story.name: result for story, result in row.results},
            }
            for row in rows
        ]
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        section = ""
        for row in rows:
            if row.item.section != section:
                section = row.item.section
                console.print(f"\n[bold]{escape(section)}[/bold]")
            colour = _COLOURS.get(row.verdict, "yellow")
            console.print(
                f"  [{colour}]{row.verdict:8}[/{colour}] {escape(row.item.text)}", soft_wrap=True
            )
            for story, result in row.results:
                console.print(f"           [dim]{result:8} {escape(story.name)}[/dim]")
    gaps = [row.item.id for row in rows if not row.results]
    if not as_json:
        covered = len(rows) - len(gaps)
        console.print(f"\n{covered} of {len(rows)} lines of the guide are covered")
    if gaps:
        Console(stderr=True, highlight=False).print(f"gaps: {', '.join(gaps)}", soft_wrap=True)
        raise typer.Exit(EXIT_FAILED)
