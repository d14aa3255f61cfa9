"""What a person or a machine reads of a comparison."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from harness.errors import UsageError
from harness.programs.compare import Comparison, FlowResult

_STEPS_SHOWN_MAX = 3
_DIFFERENCES_SHOWN_MAX = 4
_LOG_LINES_SHOWN = 3


def print_report(comparison: Comparison, console: Console) -> None:
    """A line for each flow, the first differences of each, and the verdict."""
    for result in comparison.results:
        differing = len(result.differing)
        sign = "[red]DIFFERS[/red]" if differing else "[green]same   [/green]"
        console.print(
            f"{sign} {result.flow.name:15} {len(result.steps):3} steps ({result.succeeded} succeed)"
            f", {differing} differ, compute units x {result.compute_units_ratio:.2f}",
            soft_wrap=True,
        )
        _print_differences(result, console)
    steps = sum(len(result.steps) for result in comparison.results)
    differing = sum(len(result.differing) for result in comparison.results)
    verdict = "differ" if differing else "agree"
    console.print(
        f"{escape(comparison.reference.choice)} and {escape(comparison.other.choice)} {verdict}: "
        f"{steps} steps, {differing} with a difference",
        soft_wrap=True,
    )


def _print_differences(result: FlowResult, console: Console) -> None:
    for pair in result.differing[:_STEPS_SHOWN_MAX]:
        console.print(f"  step: {escape(pair.reference.name)}", soft_wrap=True)
        for one in pair.differences[:_DIFFERENCES_SHOWN_MAX]:
            console.print(
                f"    {one.what}: {escape(one.reference)} | {escape(one.other)}", soft_wrap=True
            )
        hidden = len(pair.differences) - _DIFFERENCES_SHOWN_MAX
        if hidden > 0:
            console.print(f"    and {hidden} further differences")
        if pair.reference.error != pair.other.error:
            for line in pair.other.logs[-_LOG_LINES_SHOWN:]:
                console.print(f"    [dim]{escape(line)}[/dim]", soft_wrap=True)
    hidden = len(result.differing) - _STEPS_SHOWN_MAX
    if hidden > 0:
        console.print(f"  and {hidden} later steps, which may only follow from these")


def write_report(comparison: Comparison, path: Path) -> None:
    """All of it as JSON. Raises UsageError if the file cannot be written."""
    content = {
        "equal": comparison.equal,
        "sets": {
            name: {"choice": programs.choice, "sha256": programs.checksums()}
            for name, programs in (
                ("reference", comparison.reference),
                ("other", comparison.other),
            )
        },
        "flows": [_flow(result) for result in comparison.results],
    }
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None


def _flow(result: FlowResult) -> dict[str, object]:
    return {
        "name": result.flow.name,
        "compute_units_ratio": round(result.compute_units_ratio, 4),
        "steps": [
            {
                "name": pair.reference.name,
                "error": pair.reference.error,
                "compute_units": [pair.reference.compute_units, pair.other.compute_units],
                "differences": [
                    {"what": one.what, "reference": one.reference, "other": one.other}
                    for one in pair.differences
                ],
            }
            for pair in result.steps
        ],
    }
