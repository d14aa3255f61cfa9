"""Times of draws that are not plain ISO 8601, row by row: what is read, and what is none.

A clerk for foreign dates: numbers since 1970, days before months where dots part them, and ISO
8601 in its rarer forms. 3/1/2026 he hands back: one batch of rows does not say which is the month.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.written_time import dates_of, day_stands_first, unix_microseconds

#: Below it a number is no time since 1970 (it would be 1973), but may be a date: 20260101.
_SECONDS_MIN = 1e8
_MICROSECONDS_MAX = 253_402_300_800_000_000  # the year 10000


def loose_times(texts: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Microseconds since 1970, UTC, of an array of texts and None; and where there is no time.

    loose_times(np.array(["1767225600", "tomorrow"]))  # [1767225600000000, 0], [False, True]
    """
    import pandas as pd  # 90 MB, which plain ISO 8601 does without

    found = np.zeros(len(texts), dtype=np.int64)
    bad = np.ones(len(texts), dtype=bool)
    numbers = np.asarray(pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce"), np.float64)
    unix = numbers >= _SECONDS_MIN
    since = unix_microseconds(numbers)
    good = unix & (since < _MICROSECONDS_MAX)
    found[good], bad[good] = since[good].astype(np.int64), False
    dotted = np.array([isinstance(one, str) and day_stands_first(one) for one in texts], bool)
    for rows, form in ((dotted, None), (~unix & ~dotted, "ISO8601")):
        if rows.any():
            parsed = pd.DatetimeIndex(dates_of(texts[rows], day_first=form is None, form=form))
            bad[rows] = np.asarray(parsed.isna())
            found[rows] = np.where(bad[rows], 0, np.asarray(parsed.as_unit("us").asi8))
    return found, bad
