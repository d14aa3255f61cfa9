"""Time as a parameter: the one clock that everything in a testbed reads and waits on.

On the embedded ledger nobody really waits. Sleeping twelve seconds moves a virtual clock by
twelve seconds, and the ledger, whose slots follow that clock, moves by thirty slots. On a
validator or a cluster the same calls read the machine's clock and really sleep.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What backend, ledger and players need of time."""

    def now(self) -> datetime:
        """The present, timezone-aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""
        ...


class SystemClock:
    """The machine's clock, for ledgers that run in real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class VirtualClock:
    """A clock that stands still until somebody sleeps on it. Safe to share between threads.

    Listeners are called after every move, outside the lock, with the new time; the embedded
    ledger uses that to produce the slots which passed.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError(f"a clock starts at an aware datetime, not {start.isoformat()}")
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()
        self._listeners: list[Callable[[datetime], None]] = []

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"cannot sleep {seconds} s: time only goes forward")
        with self._lock:
            self._now += timedelta(seconds=seconds)
            now = self._now
        for listener in self._listeners:
            listener(now)

    def set(self, moment: datetime) -> None:
        """Jump to a moment, such as that of a snapshot which is brought back."""
        with self._lock:
            self._now = moment.astimezone(UTC)

    def on_move(self, listener: Callable[[datetime], None]) -> None:
        """Call `listener` after every move of this clock."""
        self._listeners.append(listener)
