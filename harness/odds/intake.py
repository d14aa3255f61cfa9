"""The intake: every row is taken or named, none is lost.

A customs officer with a list: each row shows its papers, the first thing wrong with it is written
down with the row's number, and at the end arrivals equal admitted plus refused.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.odds.column import Column, any_twice, relabelled, tally
from harness.odds.draws import UNKNOWN, Coded, Draws, Rejects
from harness.odds.heading import heading
from harness.odds.mints import hashes_of, texts_of
from harness.odds.table import RarityTable
from harness.odds.times import loose_times

if TYPE_CHECKING:
    import pandas as pd

_MINTS_KEPT_MAX = 1_000_000
_EXAMPLES_MAX = 5
_LAMPORTS_MAX = 2**63 - 1


class Intake:
    """Takes batches of rows and gives Draws.

    `tables`: the promise of each box type; rows of other boxes are wrong. With one table, a source
    without a box column is taken to be of that box. `unknown_ok`: columns (wallet) whose values
    the source may not know. `strict`: the first wrong row raises UsageError; else it is rejected
    and counted. `mint_digest`: of a source whose mints were read before and stand once each
    (harness/odds/mints.py), so that its batches come without them.
    """

    def __init__(
        self,
        source: str,
        tables: Mapping[str, RarityTable],
        *,
        strict: bool = True,
        unknown_ok: frozenset[str] = frozenset(),
        mint_digest: str | None = None,
    ) -> None:
        self.source = source
        self.tables = tables
        self.strict = strict
        self.unknown_ok = unknown_ok
        self.mint_digest = mint_digest
        self.rows_in = 0
        self._parts: dict[str, Column] = {}
        self._mints: list[pa.Array] | None = []
        self._names: dict[str, dict[str, int]] = {}
        self._met: dict[str, tuple[pa.Array, NDArray[Any]]] = {}
        self._rejected: Counter[str] = Counter()
        self._examples: list[str] = []
        self._columns: frozenset[str] | None = None

    def add(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Check and take one batch. Raises UsageError naming the row (strict) or the column."""
        written = heading(self.source, batch.schema.names)
        columns = {name: _one_array(batch.column(one)) for name, one in written.items()}
        self._check_columns(frozenset(columns))
        rows = batch.num_rows
        wrong = _Wrong(rows)
        taken: dict[str, NDArray[Any]] = {}
        for name in ("box", "tier", "skin", "wallet"):
            if name in columns:
                taken[name] = self._coded(name, columns[name], wrong)
        if "box" not in taken:
            (box,) = self.tables
            taken["box"] = np.full(rows, self._code("box", box), dtype=np.int32)
        self._check_tiers(taken["box"], taken["tier"], wrong)
        if "time" in columns:
            taken["time"] = _times(columns["time"], wrong)
        for name in ("number", "paid_lamports"):
            if name in columns:
                taken[name] = _whole_numbers(name, columns[name], wrong)
        if "mint" in columns:
            texts = texts_of(columns["mint"])
            wrong.mark(_blank(texts), "mint is missing")
            taken["mint_hash"] = hashes_of(texts)
        self._settle(wrong, columns)
        keep = None if not wrong.any else wrong.reason == 0
        for name, values in taken.items():
            self._put(name, values if keep is None else values[keep])
        if self.rows_in + rows > _MINTS_KEPT_MAX:
            self._mints = None
        if self._mints is not None and "mint" in columns:
            self._mints.append(texts if keep is None else texts.filter(pa.array(keep)))
        row_numbers = np.arange(self.rows_in + 1, self.rows_in + rows + 1)
        if keep is not None or self._parts.get("row"):
            self._remember_rows(row_numbers, keep)
        self.rows_in += rows

    def finish(self) -> Draws:
        """The draws. Raises UsageError if there are none, or naming a mint that stands twice."""
        if self.rows_in == 0:
            raise UsageError(f"{self.source}: has no rows: nothing was drawn")
        joined = {name: column.whole() for name, column in self._parts.items()}
        self._parts.clear()
        rows = joined.pop("row", None)
        mints = None
        if self._mints:
            mints = np.array([one for part in self._mints for one in part.to_pylist()], object)
        if "mint_hash" in joined:
            keep = self._check_duplicates(joined, rows)
            if keep is not None:
                joined = {name: values[keep] for name, values in joined.items()}
                mints = None if mints is None else mints[keep]
        if not len(joined["tier"]):
            raise UsageError(
                f"{self.source}: all {self.rows_in} rows were rejected, first {self._examples[0]}"
            )
        coded = {
            name: self._sorted(name, joined.pop(name))
            for name in ("tier", "box", "skin", "wallet")
            if name in joined
        }
        return Draws(
            source=self.source,
            rows_in=self.rows_in,
            tier=coded["tier"],
            box=coded["box"],
            skin=coded.get("skin"),
            wallet=coded.get("wallet"),
            time_us=joined.get("time"),
            mint_hash=joined.get("mint_hash"),
            mint_digest=self.mint_digest,
            mints=mints,
            number=joined.get("number"),
            paid_lamports=joined.get("paid_lamports"),
            rejects=Rejects(dict(self._rejected), tuple(self._examples)),
        )

    # -- the checks ------------------------------------------------------------------------------

    def _check_columns(self, columns: frozenset[str]) -> None:
        if self._columns is not None and columns != self._columns:
            raise UsageError(f"{self.source}: a later part has other columns than the first")
        self._columns = columns
        if "box" not in columns and len(self.tables) != 1:
            raise UsageError(f"{self.source}: has no column box, but {len(self.tables)} tables are "
                             "given; add the column or give one table")  # fmt: skip

    def _coded(self, name: str, column: pa.Array, wrong: _Wrong) -> NDArray[Any]:
        coded = (
            column if pa.types.is_dictionary(column.type) else texts_of(column).dictionary_encode()
        )
        names = coded.dictionary.cast(pa.string())
        lookup = np.append(self._codes_of(name, names), np.int32(UNKNOWN))
        places = _filled(coded.indices, len(names))
        codes = lookup.astype(_code_type(len(self._names.get(name, ()))))[places]
        if name not in self.unknown_ok:
            wrong.mark(codes == UNKNOWN, f"{name} is missing")
        return codes

    def _codes_of(self, name: str, texts: pa.Array) -> NDArray[np.int32]:
        """Codes of a part's own names; only those not met before are looked at one by one."""
        met = self._met.get(name)
        if met is None:
            codes = np.full(len(texts), UNKNOWN, dtype=np.int32)
        else:
            found = _filled(pc.index_in(texts, value_set=met[0]), len(met[1]))
            codes = np.append(met[1], np.int32(UNKNOWN))[found]
        new = []
        for place in np.flatnonzero(codes == UNKNOWN):
            text = (texts[int(place)].as_py() or "").strip()
            if text:
                codes[place] = self._code(name, text)
                new.append(place)
        if new:
            fresh = np.array(new, dtype=np.int64)
            # by buffers: pa.array would load pandas, 60 MB, to ask whether this is a Series
            places = pa.Array.from_buffers(pa.int64(), len(new), [None, pa.py_buffer(fresh)])
            part = texts.take(places), codes[fresh]
            self._met[name] = part if met is None else (
                pa.concat_arrays([met[0], part[0]]), np.append(met[1], part[1])
            )  # fmt: skip
        return codes

    def _code(self, name: str, text: str) -> int:
        known = self._names.setdefault(name, {})
        if name == "tier" and text not in known:  # a tier may be written in another case
            promised = (t for table in self.tables.values() for t in table.tiers)
            text = {one.casefold(): one for one in promised}.get(text.casefold(), text)
        return known.setdefault(text, len(known))

    def _check_tiers(self, box: NDArray[Any], tier: NDArray[Any], wrong: _Wrong) -> None:
        boxes, tiers = list(self._names.get("box", ())), list(self._names.get("tier", ()))
        allowed = np.zeros((len(boxes) + 1, len(tiers) + 1), dtype=bool)
        for number, name in enumerate(boxes):
            promised = self.tables[name].tiers if name in self.tables else ()
            allowed[number, :-1] = [one in promised for one in tiers]
        known = np.array([name in self.tables for name in boxes] + [True])
        if not known.all():
            wrong.mark(~known[box], "box without a table")
        if not allowed[:-1, :-1].all():
            wrong.mark(~allowed[box, tier], "unknown tier")

    def _check_duplicates(
        self, joined: Mapping[str, NDArray[Any]], rows: NDArray[Any] | None
    ) -> NDArray[np.bool_] | None:
        hashes = joined["mint_hash"]
        if not any_twice(hashes):
            return None
        _, first, back = np.unique(hashes, return_index=True, return_inverse=True)
        repeated = np.flatnonzero(first[back] != np.arange(len(hashes)))
        for place in repeated[:_EXAMPLES_MAX]:
            here, there = place, first[back[place]]
            if rows is not None:
                here, there = rows[here] - 1, rows[there] - 1
            text = f"row {here + 1}: mint stands in row {there + 1} already"
            if self.strict:
                raise UsageError(
                    f"{self.source}: {text} ({len(repeated)} such rows); a box is drawn once. "
                    "--reject counts them and leaves them out"
                )
            if len(self._examples) < _EXAMPLES_MAX:
                self._examples.append(text)
        self._rejected["mint stands twice"] += len(repeated)
        keep = np.ones(len(hashes), dtype=bool)
        keep[repeated] = False
        return keep

    def _settle(self, wrong: _Wrong, columns: Mapping[str, pa.Array]) -> None:
        """Name the wrong rows of a batch, or raise."""
        if not wrong.any:
            return
        bad = np.flatnonzero(wrong.reason)
        for place in bad[: _EXAMPLES_MAX if not self.strict else 1]:
            reason = wrong.reasons[wrong.reason[place] - 1]
            named = ("box", "tier", "time", "number", "paid_lamports")
            shown = [
                f"{name} {_shown(columns[name][int(place)])}"
                for name in named
                if name in columns and name in reason
            ]
            text = f"row {self.rows_in + int(place) + 1}: {reason}"
            text += f" ({', '.join(shown)})" if shown and "missing" not in reason else ""
            if self.strict:
                tables = "; ".join(f"{b}: {', '.join(t.tiers)}" for b, t in self.tables.items())
                raise UsageError(
                    f"{self.source}: {text}; {len(bad)} bad rows here. The tables know {tables}. "
                    "--reject counts bad rows and leaves them out"
                )
            if len(self._examples) < _EXAMPLES_MAX:
                self._examples.append(text)
        for number, reason in enumerate(wrong.reasons, start=1):
            if count := int(np.count_nonzero(wrong.reason == number)):
                self._rejected[reason] += count

    def _remember_rows(self, numbers: NDArray[Any], keep: NDArray[Any] | None) -> None:
        """Keep row numbers from the first rejected row on, to name duplicates by them."""
        if "row" not in self._parts and self.rows_in:
            self._put("row", np.arange(1, self.rows_in + 1))
        self._put("row", numbers if keep is None else numbers[keep])

    def _put(self, name: str, values: NDArray[Any]) -> None:
        if name in self._parts:
            self._parts[name].add(values)
        else:
            self._parts[name] = Column(values)

    def _sorted(self, name: str, codes: NDArray[Any]) -> Coded:
        """Names in order, so that the same draws have the same codes from any source."""
        names = list(self._names.get(name, {}))
        used = tally(codes, len(names)) > 0
        order = sorted((one for one in range(len(names)) if used[one]), key=names.__getitem__)
        lookup = np.full(len(names) + 1, UNKNOWN, dtype=_code_type(len(order)))
        lookup[order] = np.arange(len(order))
        own = codes if codes.dtype == lookup.dtype else None
        return Coded(relabelled(codes, lookup, own), tuple(names[one] for one in order))


class _Wrong:
    """What is wrong with each row of a batch: 0, or the number of the first reason found."""

    def __init__(self, rows: int) -> None:
        self.reason = np.zeros(rows, dtype=np.int8)
        self.reasons: list[str] = []
        self.any = False

    def mark(self, rows: NDArray[np.bool_], reason: str) -> None:
        if rows.any():
            self.any = True
            self.reasons.append(reason)
            self.reason[rows & (self.reason == 0)] = len(self.reasons)


def draws_of(
    batches: Iterable[pa.RecordBatch | pa.Table],
    source: str,
    tables: Mapping[str, RarityTable],
    *,
    strict: bool = True,
    unknown_ok: frozenset[str] = frozenset(),
    mint_digest: str | None = None,
) -> Draws:
    """All batches of a source as Draws; the options are the Intake's. Raises UsageError."""
    intake = Intake(source, tables, strict=strict, unknown_ok=unknown_ok, mint_digest=mint_digest)
    for batch in batches:
        intake.add(batch)
    return intake.finish()


def draws_from_frame(
    frame: pd.DataFrame,
    tables: Mapping[str, RarityTable] | RarityTable,
    *,
    source: str = "DataFrame",
    strict: bool = True,
) -> Draws:
    """A DataFrame with the tidy columns as Draws. Raises UsageError naming the row."""
    known = {tables.box: tables} if isinstance(tables, RarityTable) else tables
    return draws_of(
        [pa.Table.from_pandas(frame, preserve_index=False)], source, known, strict=strict
    )


def _one_array(column: Any) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # nothing in it
            column = pa.array([], column.type)
    return column


def _blank(texts: pa.Array) -> NDArray[np.bool_]:
    return _filled(pc.utf8_length(texts), 0) == 0


def _filled(column: pa.Array, value: int) -> NDArray[Any]:
    """A column of whole numbers, `value` where there is none. By its buffer: Arrow's `fill_null`
    and `to_numpy` load pandas, 60 MB, to see whether they are given one of its objects."""
    held = np.frombuffer(column.buffers()[1] or b"", dtype=str(column.type))
    values = held[column.offset : column.offset + len(column)]
    if column.null_count:
        values = values.copy()
        values[_is_null(column)] = value
    return values


def _is_null(column: pa.Array) -> NDArray[np.bool_]:
    """Where nothing stands: Arrow's bits, unpacked here for the same reason."""
    bits = column.is_null()
    packed = np.frombuffer(bits.buffers()[1], dtype=np.uint8)
    unpacked = np.unpackbits(packed, bitorder="little")[bits.offset : bits.offset + len(bits)]
    return unpacked.astype(bool)


def _times(column: pa.Array, wrong: _Wrong) -> NDArray[np.int64]:
    if pa.types.is_timestamp(column.type):
        if column.null_count:
            wrong.mark(_is_null(column), "time is missing")
        return _filled(column.cast(pa.timestamp("us"), safe=False).cast(pa.int64()), 0)
    texts = texts_of(column)
    if not texts.null_count:
        for kind in (pa.timestamp("us", "UTC"), pa.timestamp("us")):  # with a zone, without any
            with contextlib.suppress(pa.ArrowInvalid):
                return _filled(texts.cast(kind).cast(pa.int64()), 0)
    found, bad = loose_times(texts.to_numpy(zero_copy_only=False))
    wrong.mark(bad, "time is no ISO 8601 time, day.month.year or Unix time")
    return found


def _whole_numbers(name: str, column: pa.Array, wrong: _Wrong) -> NDArray[np.int64]:
    if not pa.types.is_integer(column.type):
        try:
            numbers = texts_of(column).cast(pa.float64())
        except pa.ArrowInvalid:
            values = np.array([_number(one) for one in texts_of(column).to_pylist()])
        else:
            values = numbers.to_numpy(zero_copy_only=False)  # NaN for null
    else:
        wrong.mark(_is_null(column), f"{name} is missing")
        values = _filled(column, 0)
    with np.errstate(invalid="ignore"):
        good = (values >= 0) & (values <= _LAMPORTS_MAX) & (values == np.floor(values))
    wrong.mark(~good, f"{name} is no whole number from 0")
    return np.where(good, values, 0).astype(np.int64)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _code_type(names: int) -> type[np.signedinteger[Any]]:
    return np.int8 if names < 127 else np.int16 if names < 32_767 else np.int32


def _shown(value: Any) -> str:
    return repr(value.as_py())[:40]
