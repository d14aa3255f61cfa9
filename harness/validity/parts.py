"""What a part of the validity page is, and which there are.

A part is a function of seed, scale and a way to tell progress. It returns the Markdown of its
section and whether every figure is within its bound.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.errors import UsageError

#: Module of each subject. It has `PARTS`, a dict of part name to function, in the page's order.
SUBJECTS = {"odds": "harness.validity.odds", "treasury": "harness.validity.treasury"}


@dataclass(frozen=True)
class Part:
    """One section of the page. `passed`: every figure in it is within its bound."""

    text: str
    passed: bool


#: seed, scale (1 is the committed size; a test may take less), progress(words) -> Part
PartFunction = Callable[[int, float, Callable[[str], None]], Part]


def parts_of(subject: str, part: str | None = None) -> dict[str, PartFunction]:
    """The functions of a subject (or of all) by their name on the page, such as `odds/size`.

    Raises UsageError for names that there are not.
    """
    if subject != "all" and subject not in SUBJECTS:
        raise UsageError(f"subject {subject!r} is unknown; known: {', '.join(SUBJECTS)}, all")
    found: dict[str, PartFunction] = {}
    for name in SUBJECTS if subject == "all" else [subject]:
        module = importlib.import_module(SUBJECTS[name])
        found.update({f"{name}/{one}": function for one, function in module.PARTS.items()})
    if part is None:
        return found
    chosen = {name: one for name, one in found.items() if name.partition("/")[2] == part}
    if not chosen:
        known = ", ".join(name.partition("/")[2] for name in found)
        raise UsageError(f"part {part!r} of {subject} is unknown; known: {known}")
    return chosen


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; cells are shown by str()."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
