"""One difference between two ledgers, and whether it is known.

A customs list: what is on it may pass, with the reason beside it; anything else is stopped.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

KNOWN = Path(__file__).parent / "known.toml"
_SHOWN_CHARACTERS_MAX = 160


@dataclass(frozen=True)
class Difference:
    """`what` says which thing differs, such as `transaction mint: compute_units`.

    `embedded` and `validator` are the two values, as text.
    """

    where: str
    what: str
    embedded: str
    validator: str

    def shown(self) -> str:
        """The two values in one line each, cut to a readable length."""
        return f"embedded {_cut(self.embedded)}, validator {_cut(self.validator)}"


@dataclass(frozen=True)
class Known:
    """A pattern for `what` (a regular expression, matched from its start), and why it differs."""

    pattern: re.Pattern[str]
    why: str


def read_known(path: Path = KNOWN) -> list[Known]:
    """The list of known differences. Raises UsageError for a list that cannot be read."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("known", [])
        return [
            Known(re.compile(entry["what"]), " ".join(entry["why"].split())) for entry in entries
        ]
    except (OSError, KeyError, TypeError, re.error, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path.name}: {type(error).__name__}: {error}") from None


def sort_out(
    differences: list[Difference], known: list[Known]
) -> tuple[list[tuple[Known, list[Difference]]], list[Difference]]:
    """Known differences by their reason, in the list's order, and those that nobody explains."""
    explained: dict[int, list[Difference]] = {}
    unexplained = []
    for difference in differences:
        for number, one in enumerate(known):
            if one.pattern.match(difference.what):
                explained.setdefault(number, []).append(difference)
                break
        else:
            unexplained.append(difference)
    return [(known[number], explained[number]) for number in sorted(explained)], unexplained


def _cut(text: str) -> str:
    one_line = " ".join(text.split())
    if len(one_line) <= _SHOWN_CHARACTERS_MAX:
        return one_line
    return one_line[: _SHOWN_CHARACTERS_MAX - 3] + "..."
