"""docs/parity.md: what was compared, which differences there are, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.parity.difference import Difference, Known

_EXAMPLES_MAX = 3
_INTRODUCTION = """\
The same scenarios with the same seed were played on both, and everything that they left was
compared: outcomes, errors, answers of the backend, program log lines, compute units of each
instruction, and all bytes of every account that a transaction named. Then every RPC method was
asked the same on both, good and bad. A difference that `harness/parity/known.toml` does not
explain makes the command fail.
"""

Sorted = tuple[list[tuple[Known, list[Difference]]], list[Difference]]


def as_markdown(command: str, image: str, counted: Counter[str], sorted_out: Sorted) -> str:
    """The page. Sections: what was compared, known differences, unexplained ones."""
    explained, unexplained = sorted_out
    lines = [
        "# Parity: the embedded ledger against a validator",
        "",
        f"Written by `{command}` (validator: `{image}`); do not edit.",
        "",
        *_INTRODUCTION.splitlines(),
        "",
        "| compared | number |",
        "| --- | ---: |",
        *(f"| {name} | {number:,} |" for name, number in sorted(counted.items())),
        "",
        f"Differences: {sum(len(found) for _, found in explained)} explained, "
        f"{len(unexplained)} unexplained.",
        "",
    ]
    for known, found in explained:
        lines += [f"## {_heading(found)}", "", known.why, "", *_table(found), ""]
    if unexplained:
        lines += ["## Unexplained", "", *_table(unexplained, limit=len(unexplained)), ""]
    return "\n".join(lines).rstrip() + "\n"


def _heading(found: Sequence[Difference]) -> str:
    times = "" if len(found) == 1 else f" ({len(found)} times)"
    return f"{found[0].what}{times}"


def _table(found: Sequence[Difference], limit: int = _EXAMPLES_MAX) -> list[str]:
    rows = list(dict.fromkeys((one.what, one.embedded, one.validator) for one in found))
    lines = ["| what | embedded | validator |", "| --- | --- | --- |"]
    lines += [f"| {' | '.join(_cell(text) for text in row)} |" for row in rows[:limit]]
    if len(rows) > limit:
        lines.append(f"| and {len(rows) - limit} more | | |")
    return lines


def _cell(text: str) -> str:
    shown = " ".join(text.split()).replace("|", "\\|")
    return shown if len(shown) <= 120 else shown[:117] + "..."
