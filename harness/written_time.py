"""A time as exports and spreadsheets write it, where ISO 8601 would have been clearer.

Numbers since 1970 in a unit that nobody names, and dates in which dots part the day from the month.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: From each of them on a number since 1970 is one of the next unit: as seconds it would be the year
#: 5138, as milliseconds too, and so on.
_FINER = np.array([1e11, 1e14, 1e17])
#: 3.1.2026, or 03.01.2026 14:05
_DAY_FIRST = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}")


def unix_microseconds(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers since 1970 in seconds, milli-, micro- or nanoseconds, each by its size, as whole
    microseconds. Exact to the microsecond until 2255.

        unix_microseconds(np.array([1767225600.5, 1767225600500]))  # both 1767225600500000
    """
    return np.round(numbers * np.array([1e6, 1e3, 1, 1e-3])[np.searchsorted(_FINER, numbers)])


def day_stands_first(text: str) -> bool:
    """Whether dots part this date, so that its day comes before its month."""
    return bool(_DAY_FIRST.match(text))


def dates_of(texts: Any, *, day_first: bool, form: str | None = None) -> Any:
    """Texts as pandas' times in UTC; NaT where one is not of `form`, pandas' word for it. Without
    one all are of the form of the first."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the order given is not the first date's
        return pd.to_datetime(texts, utc=True, errors="coerce", dayfirst=day_first, format=form)
