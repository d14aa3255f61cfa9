"""The run's diary: one JSON object a line, written as things happen, never rewritten.

It is the one source for the report, the odds audit and the calibration of the treasury model.
Addresses are given by their names (see `address_book`), times are the testbed's clock, and
nothing in it depends on the machine: same seed, same journal, byte for byte, on the embedded
ledger. Each line has `seq`, `scenario`, `at` and `kind`; the kinds and their fields are listed
in docs/journal.md.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from harness.clock import Clock


class Journal:
    """An append-only journal of one scenario. Safe to write from several threads."""

    def __init__(self, path: Path, scenario: str, clock: Clock) -> None:
        self.path = path
        self.scenario = scenario
        self._clock = clock
        self._lock = threading.Lock()
        self._seq = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", encoding="utf-8")

    def write(self, kind: str, **fields: Any) -> None:
        """Append one line. `fields` must be JSON values: integers for money, no floats."""
        with self._lock:
            line = {
                "seq": self._seq,
                "scenario": self.scenario,
                "at": self._clock.now().isoformat(timespec="milliseconds"),
                "kind": kind,
                **fields,
            }
            self._file.write(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n")
            self._file.flush()
            self._seq += 1

    def close(self) -> None:
        with self._lock:
            self._file.close()


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a journal file, in order.

    Raises ValueError naming the line that is not JSON.
    """
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path.name} line {number} is not JSON: {error.msg}") from error
