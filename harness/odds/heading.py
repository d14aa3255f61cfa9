"""A heading: which column of a table holds what.

The first line of a list, read by somebody who has seen many lists: "Tier" and "tier" are one word,
"rarity" is what the guide's tables call it, and two columns for one thing are a question to ask,
not a choice to make.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import UsageError

#: What a table of draws may say.
KNOWN = ("time", "mint", "wallet", "box", "tier", "skin", "number", "paid_lamports")
_OTHER_WORDS = {"rarity": "tier"}  # the guide's skin_templates


def known_as(column: str) -> str:
    """What a column is to the intake: its name without case and outer blanks, `rarity` as `tier`.

    A name that is none of `KNOWN` is given back in the same manner.
    """
    name = column.strip().casefold()
    return _OTHER_WORDS.get(name, name)


def separator_of(line: str) -> str:
    """What parts the columns of a CSV file, from its first line. Where the comma is the decimal
    sign spreadsheets write semicolons; what is copied out of them has tabs."""
    if "," in line:
        return ","
    return ";" if ";" in line else "\t" if "\t" in line else ","


def heading(source: str, columns: Iterable[str]) -> dict[str, str]:
    """The columns of a table of draws: what each is, and how its name is written there.

        heading("draws.csv", ["Rarity", "wallet"])  # {"tier": "Rarity", "wallet": "wallet"}

    Raises UsageError if there is no tier, naming a column that is not known, and two that say the
    same.
    """
    written = list(columns)
    found: dict[str, str] = {}
    if "tier" not in map(known_as, written):
        raise UsageError(
            f"{source}: has no column tier (or rarity); columns are {', '.join(sorted(written))}; "
            f"known are {', '.join(KNOWN)}"
        )
    for column in written:
        name = known_as(column)
        if name not in KNOWN:
            raise UsageError(
                f"{source}: unknown column {column!r}; known are {', '.join(KNOWN)}; rename it or "
                "leave it out"
            )
        if name in found:
            raise UsageError(
                f"{source}: columns {found[name]!r} and {column!r} both say {name}; keep one"
            )
        found[name] = column
    return found
