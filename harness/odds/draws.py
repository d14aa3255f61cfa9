"""Draws: the tally of what came out, one row a reveal, whatever it was read from.

A ledger kept in columns. Texts that repeat (tier, skin, wallet, box) are kept once and referred to
by number, so that ten million draws take a quarter of a gigabyte and are counted in milliseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.odds.column import any_descent, relabelled, tally
from harness.odds.mints import digest_of
from harness.odds.table import RarityTable

if TYPE_CHECKING:
    import pandas as pd

IntArray = NDArray[np.integer[Any]]
#: The code of a value that the source does not know, such as the owner of an unclaimed NFT.
UNKNOWN = -1


@dataclass(frozen=True)
class Coded:
    """A column of repeating texts: `names[codes[i]]` is row i's; codes may be UNKNOWN.

    `names` are sorted, so that the codes do not depend on the rows' order.
    """

    codes: IntArray
    names: tuple[str, ...]

    def take(self, rows: NDArray[Any]) -> Coded:
        return Coded(self.codes[rows], self.names)

    def values(self) -> NDArray[Any]:
        """The texts themselves, None for unknown."""
        return np.array([*self.names, None], dtype=object)[self.codes]


@dataclass(frozen=True)
class Rejects:
    """Rows that were not taken: how many for which reason, and the first few in words."""

    counted: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.counted.values())


@dataclass(frozen=True)
class Draws:
    """Draws of one or more box types, in the order of the source; n rows.

    `time_us`: microseconds since 1970, UTC. `mint_hash`: 64 bits of each mint's text (FNV-1a,
    mixed), by which duplicates are found, or, where they are not kept, `mint_digest` of them;
    `mints`: the texts, kept up to a million rows.
    `number`: the mint's number in its machine. `paid_lamports`: what was paid for the box.
    Columns that a source does not have are None. `rows_in` = n + rejects.total, always.
    """

    source: str
    rows_in: int
    tier: Coded
    box: Coded
    skin: Coded | None = None
    wallet: Coded | None = None
    time_us: NDArray[np.int64] | None = None
    mint_hash: NDArray[np.uint64] | None = None
    mint_digest: str | None = None
    mints: NDArray[Any] | None = None
    number: NDArray[np.int64] | None = None
    paid_lamports: NDArray[np.int64] | None = None
    rejects: Rejects = field(default_factory=Rejects)

    def __post_init__(self) -> None:
        assert self.rows_in == len(self) + self.rejects.total, "a row was dropped silently"

    def __len__(self) -> int:
        return len(self.tier.codes)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that is known of the draws, in their order."""
        digest = hashlib.sha256(f"draws 2 {len(self)}".encode())
        for name in ("tier", "box", "skin", "wallet"):
            column = getattr(self, name)
            if column is not None:
                digest.update(f"\0{name}\0{chr(0).join(column.names)}\0".encode())
                digest.update(np.ascontiguousarray(column.codes).data)
        mints = self.mint_digest if self.mint_hash is None else digest_of(self.mint_hash)
        if mints is not None:
            digest.update(f"\0mint\0{mints}".encode())
        for name in ("time_us", "number", "paid_lamports"):
            values = getattr(self, name)
            if values is not None:
                digest.update(f"\0{name}\0".encode())
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    def of(self, table: RarityTable) -> BoxDraws:
        """The draws of one box type, its tiers numbered as in its table, oldest first."""
        rows: NDArray[Any] | None = None
        if self.box.names != (table.box,):
            wanted = self.box.names.index(table.box) if table.box in self.box.names else -2
            rows = np.flatnonzero(self.box.codes == wanted)
        if self.time_us is not None:
            times = self.time_us if rows is None else self.time_us[rows]
            if any_descent(times):
                order = np.argsort(times, kind="stable")
                rows = order if rows is None else rows[order]

        def part(values: NDArray[Any] | None) -> NDArray[Any] | None:
            return values if values is None or rows is None else values[rows]

        def coded(column: Coded | None) -> Coded | None:
            return column if column is None or rows is None else column.take(rows)

        place = {tier: number for number, tier in enumerate(table.tiers)}
        lookup = np.array([place.get(name, -1) for name in self.tier.names], dtype=np.int8)
        tier = part(self.tier.codes)
        assert tier is not None
        codes = relabelled(tier, lookup)
        assert len(codes) == 0 or codes.min() >= 0, "the intake lets no unknown tier through"
        return BoxDraws(
            table=table,
            tier=codes,
            skin=coded(self.skin),
            wallet=coded(self.wallet),
            time_us=part(self.time_us),
            number=part(self.number),
            paid_lamports=part(self.paid_lamports),
        )

    def frame(self) -> pd.DataFrame:
        """The tidy table: time, mint, wallet, box, tier, skin, number, paid_lamports; columns that
        the source lacks are left out. Mints beyond a million rows are shown as
        their hash, and left out where they were not kept."""
        import pandas as pd

        columns: dict[str, Any] = {}
        if self.time_us is not None:
            columns["time"] = pd.to_datetime(self.time_us, unit="us", utc=True)
        if self.mint_hash is not None:
            columns["mint"] = self.mint_hash if self.mints is None else self.mints
        for name in ("wallet", "box", "tier", "skin"):
            column = getattr(self, name)
            if column is not None:
                columns[name] = pd.Categorical.from_codes(column.codes, column.names)
        for name in ("number", "paid_lamports"):
            if getattr(self, name) is not None:
                columns[name] = getattr(self, name)
        return pd.DataFrame(columns)


@dataclass(frozen=True)
class BoxDraws:
    """The draws of one box type, oldest first; `tier` holds places in `table.tiers`."""

    table: RarityTable
    tier: NDArray[np.int8]
    skin: Coded | None = None
    wallet: Coded | None = None
    time_us: NDArray[np.int64] | None = None
    number: NDArray[np.int64] | None = None
    paid_lamports: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.tier)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each tier came, in the table's order."""
        return tally(self.tier, len(self.table.tiers))


def draws_in_words(number: int, which: str = "") -> str:
    """`1 draw`, `2,000 draws`; with `which`, such as "more ", `1 more draw`."""
    return f"{number:,} {which}draw{'' if number == 1 else 's'}"
