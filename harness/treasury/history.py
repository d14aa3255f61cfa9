"""A history of prices from a CSV or Parquet file, looked at hard before anything is fitted to it.

Two columns: a time (ISO 8601, or seconds, milliseconds or microseconds since 1970) and a price in
USD. CoinGecko's, Yahoo's and Investing's exports are taken as they are: newest first, thousands
with commas, days before months, and semicolons with decimal commas, as spreadsheets in half of
Europe write. Prices
must be above 0, times must rise by the same step; gaps and doubles are refused with the line that
has them, because a fit would swallow both and say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.written_time import dates_of, day_stands_first, unix_microseconds

ROWS_MIN = 30
ROWS_MAX = 5_000_000
_BYTES_MAX = 512 * 2**20
_TIMES = ("time", "timestamp", "date", "datetime", "at", "day", "snapped_at", "open_time")
_PRICES = ("price", "close", "price_usd", "sol_usd", "usd")


@dataclass(frozen=True)
class History:
    """Prices at equal steps: float64[n], USD; `step_days` between two of them."""

    name: str
    prices: np.ndarray
    step_days: float
    first: str
    last: str

    @property
    def last_usd(self) -> float:
        return float(self.prices[-1])

    @property
    def log_returns(self) -> np.ndarray:
        return np.diff(np.log(self.prices))


def read_history(path: Path) -> History:
    """Read and check. Raises UsageError with file, row and remedy."""
    import pandas as pd

    try:
        size = path.stat().st_size
        if size > _BYTES_MAX:
            raise UsageError(f"{path.name}: {size >> 20} MiB; at most {_BYTES_MAX >> 20} are read")
        table = pd.read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path.name}: is not a table: {reason}") from None
    # rows by number, so that an error can name them; pandas keeps a Parquet file's times as index
    table = table.reset_index(drop=table.index.name is None)
    time_column = _column(path, table.columns, _TIMES, "a time")
    price_column = _column(path, table.columns, _PRICES, "a price")
    if not ROWS_MIN <= len(table) <= ROWS_MAX:
        raise UsageError(f"{path.name}: {len(table)} rows; {ROWS_MIN}..{ROWS_MAX} are needed")
    prices = pd.to_numeric(table[price_column], errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~(np.isfinite(prices) & (prices > 0)))
    if len(bad):
        raise UsageError(
            f"{path.name} row {bad[0] + 2}: price {table[price_column].iloc[bad[0]]} is no "
            f"number above 0 ({len(bad)} such rows)"
        )
    raw = table[time_column]
    if pd.api.types.is_numeric_dtype(raw):
        since = pd.Series(unix_microseconds(raw.to_numpy(np.float64)), raw.index)
        times = pd.to_datetime(since, unit="us", utc=True, errors="coerce")
    else:
        times = _written_times(raw)
    if times.isna().any():
        row = int(np.flatnonzero(times.isna().to_numpy())[0])
        raise UsageError(f"{path.name} row {row + 2}: {raw.iloc[row]!r} is not a time")
    seconds = times.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6
    steps = np.diff(seconds)
    if np.median(steps) < 0:  # newest first
        prices, steps, raw = prices[::-1].copy(), -steps[::-1], raw[::-1]
    _check_steps(path, steps, raw)
    return History(
        path.name, prices, float(np.median(steps)) / 86_400, str(raw.iloc[0]), str(raw.iloc[-1])
    )


def _read_csv(path: Path) -> Any:
    import pandas as pd

    head = pd.read_csv(path, encoding="utf-8-sig", nrows=0).columns
    if len(head) == 1 and ";" in head[0]:
        return pd.read_csv(path, encoding="utf-8-sig", sep=";", decimal=",")
    return pd.read_csv(path, encoding="utf-8-sig", thousands=",")


def _written_times(raw: Any) -> Any:
    """Times from text. Where dots part a date the day stands first; else the month does, unless
    there is no such month."""
    dots = day_stands_first(str(raw.iloc[0]))
    for day_first in (dots, not dots):
        times = dates_of(raw, day_first=day_first)
        if not times.isna().any():
            return times
    return dates_of(raw, day_first=dots)


def _check_steps(path: Path, steps: np.ndarray, raw: Any) -> None:
    usual = float(np.median(steps))
    for wrong, what in (
        (steps == 0, "is there twice; keep one of the two"),
        (steps < 0, "comes after a later one; sort the file"),
        (steps > 1.5 * max(usual, 1e-9), "comes after a gap; fill it or cut the history there"),
        (steps < 0.5 * usual, "comes too early; take equal steps"),
    ):
        rows = np.flatnonzero(wrong)
        if len(rows):
            value = raw.iloc[int(rows[0]) + 1]
            row = int(raw.index[int(rows[0]) + 1]) + 2
            raise UsageError(
                f"{path.name} row {row}: time {value} {what} ({len(rows)} such rows; the usual "
                f"step is {usual:g} s)"
            )


def _column(path: Path, columns: Any, names: tuple[str, ...], what: str) -> str:
    found = [str(c) for c in columns if str(c).lower() in names]
    if len(found) != 1:
        raise UsageError(
            f"{path.name}: needs one column with {what}, called one of {', '.join(names)}; "
            f"has {', '.join(map(str, columns))}"
        )
    return found[0]
