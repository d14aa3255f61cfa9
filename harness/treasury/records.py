"""What happened to real boxes: minted when, sold back when and for how much, or still held.

Read from a backend's database, a run's journal or a CSV file; all give the same table. Records are
what people did under the prices of their time: a forecast from them says so.
"""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from harness.errors import UsageError
from harness.treasury.model import LAMPORTS_PER_SOL

ITEMS_MAX = 10_000_000
_SECONDS_DAY = 86_400
_COLUMNS = ("minted_at", "sold_at", "tier", "paid_lamports")


@dataclass(frozen=True)
class Item:
    """One box. Days are counted from the first mint; `sold_day` is None while it is held."""

    minted_day: float
    sold_day: float | None
    tier: str
    paid_lamports: int | None


@dataclass(frozen=True)
class Records:
    """All boxes of a stretch of time, by the time of their mint, and how long was watched."""

    items: tuple[Item, ...]
    days: float

    @property
    def sold(self) -> int:
        return sum(item.sold_day is not None for item in self.items)

    def until(self, day: float) -> Records:
        """What was known on a day: later mints and sales are not."""
        seen = (
            Item(item.minted_day, None, item.tier, None)
            if item.sold_day is not None and item.sold_day >= day
            else item
            for item in self.items
            if item.minted_day < day
        )
        return Records(tuple(seen), day)


def from_database(engine: Engine) -> Records:
    """`user_skins`, `skin_templates` and `buyback_records` of a backend, the guide's tables."""
    query = text(
        "select u.created_at, b.created_at, t.rarity, b.amount_paid from user_skins u "
        "join skin_templates t on t.id = u.skin_template_id "
        "left join buyback_records b on b.nft_mint = u.nft_mint_address "
        "order by u.created_at limit :most"
    )
    with engine.connect() as connection:
        rows = connection.execute(query, {"most": ITEMS_MAX}).all()
    return _records(
        (at, sold, tier, None if paid is None else int(paid * LAMPORTS_PER_SOL))
        for at, sold, tier, paid in rows
    )


def from_journal(path: Path) -> Records:
    """A run's `journal.jsonl`: reveals, and buybacks that landed, scenario by scenario."""
    boxes: dict[tuple[str, str], list[Any]] = {}
    with _opened(path) as lines:
        for number, written in enumerate(lines, start=1):
            try:
                line = json.loads(written)
                key = (line["scenario"], str(line.get("nft")))
                at = _time(line["at"])
                kind = line["kind"]
            except (ValueError, KeyError, TypeError):
                raise UsageError(f"{path.name}: line {number} is not one of a journal") from None
            if kind == "reveal":
                boxes[key] = [at, None, line["tier"], None]
            elif (
                kind == "transaction"
                and line["action"] == "buyback"
                and line["outcome"] == "landed"
                and key in boxes
            ):
                boxes[key][1] = at
                boxes[key][3] = -line["deltas"]["treasury"]
    return _records(boxes.values())


def from_csv(path: Path) -> Records:
    """Columns minted_at, sold_at (empty while held), tier, paid_lamports (empty likewise).

    Times without a zone are UTC.
    """
    rows = []
    with _opened(path) as lines:
        reader = csv.DictReader(lines)
        if missing := set(_COLUMNS) - set(reader.fieldnames or ()):
            raise UsageError(f"{path.name}: the column {sorted(missing)[0]} is missing")
        for row in reader:
            try:
                sold = _time(row["sold_at"]) if row["sold_at"] else None
                paid = int(row["paid_lamports"]) if row["paid_lamports"] else None
                minted = _time(row["minted_at"])
                if (sold is None) != (paid is None) or (sold is not None and sold < minted):
                    raise ValueError
            except (ValueError, TypeError):
                raise UsageError(
                    f"{path.name}: line {reader.line_num}: minted_at must be a time, sold_at and "
                    "paid_lamports both empty or a later time and whole lamports"
                ) from None
            rows.append((minted, sold, row["tier"], paid))
    return _records(rows)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path.name}: is not UTF-8 text in lines ({error})") from None


def _time(text: str) -> datetime:
    """An ISO 8601 time, UTC where it has no zone. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _records(rows: Iterable[Any]) -> Records:
    found = sorted(rows, key=lambda row: row[0])
    if not found:
        raise UsageError("no revealed box in these records: nothing to calibrate by")
    first = found[0][0]

    def day(at: datetime) -> float:
        return (at - first).total_seconds() / _SECONDS_DAY

    items = tuple(
        Item(day(minted), None if sold is None else day(sold), tier, paid)
        for minted, sold, tier, paid in found
    )
    last = max(max(item.minted_day, item.sold_day or 0.0) for item in items)
    return Records(items, last)
