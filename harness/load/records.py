"""What the generator writes down of each request, and how it is read back.

One line of CSV a request: when it was meant to start, when it did, when it ended, how it went.
Times are seconds since the start of the load. An arrival of several requests (a sale) has a line
for each of them and one for the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OK, SHED, FAILED, DROPPED = "ok", "shed", "failed", "dropped"
OUTCOMES = (OK, SHED, FAILED, DROPPED)
HEADER = "intended_s,started_s,finished_s,stage,name,outcome,status,code"
FILE = "requests.csv"
#: Second, worker, share of a processor: how busy the workers of a distributed run were.
GENERATORS_FILE = "generators.csv"
#: Holds the second at which the generator was told to stop before its end.
STOPPED = "stopped-at.txt"


class Record(NamedTuple):
    """One request, or one whole arrival."""

    intended_s: float
    started_s: float
    finished_s: float
    stage: int
    name: str
    outcome: str
    status: int
    code: str

    def line(self) -> str:
        code = self.code.replace(",", ";").replace("\n", " ")
        return (
            f"{self.intended_s:.6f},{self.started_s:.6f},{self.finished_s:.6f},{self.stage},"
            f"{self.name},{self.outcome},{self.status},{code}"
        )


@dataclass(frozen=True)
class Records:
    """Columns of equal length, in the order in which the requests ended."""

    intended_s: NDArray[np.float64]
    started_s: NDArray[np.float64]
    finished_s: NDArray[np.float64]
    stage: NDArray[np.int64]
    name: NDArray[np.str_]
    outcome: NDArray[np.str_]
    status: NDArray[np.int64]
    code: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.intended_s)

    @property
    def latency_s(self) -> NDArray[np.float64]:
        """From the intended start, so that a stall of the generator or backend is not hidden."""
        return self.finished_s - self.intended_s

    @property
    def lateness_s(self) -> NDArray[np.float64]:
        """How late the generator itself was."""
        return self.started_s - self.intended_s

    def __add__(self, later: Records) -> Records:
        columns = self.__dataclass_fields__
        return Records(
            *(np.concatenate([getattr(self, one), getattr(later, one)]) for one in columns)
        )

    def where(self, mask: NDArray[np.bool_]) -> Records:
        return Records(*(getattr(self, column)[mask] for column in self.__dataclass_fields__))


def records_of(rows: list[Record]) -> Records:
    columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)] or [
        [] for _ in Record._fields
    ]
    kinds = (float, float, float, int, str, str, int, str)
    return Records(
        *(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True))
    )


def read_records(path: Path, offset: int = 0) -> tuple[Records, int]:
    """Whole lines from `offset` on, and the offset after them; for reading a file that grows.

    Takes as long as what is new: whoever reads may be the process that the crowd is served by."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    rows = []
    for line in whole.decode().splitlines():
        if line == HEADER:
            continue
        a, b, c, stage, name, outcome, status, code = line.split(",", 7)
        rows.append(
            Record(float(a), float(b), float(c), int(stage), name, outcome, int(status), code)
        )
    return records_of(rows), offset + len(whole)
