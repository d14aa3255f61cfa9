"""The lines of the guide's checklists, by id such as `testing.full-flow`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("items.toml")


@dataclass(frozen=True)
class Item:
    """One line of one checklist. `id` is section and name, `text` the guide's own words."""

    id: str
    section: str
    text: str


@cache
def items() -> dict[str, Item]:
    """Every line of every checklist, in the guide's order."""
    found = {}
    for section, content in tomllib.loads(_FILE.read_text(encoding="utf-8")).items():
        for name, text in content["items"].items():
            item = Item(f"{section}.{name}", content["title"], text)
            found[item.id] = item
    return found
