"""A clock that runs by itself and can be pushed on: for a ledger that somebody watches.

Slots pass as on a cluster while nobody does anything; a transaction still has its slot at once,
and sleeping still takes no time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from harness.clock import VirtualClock


class RunningClock(VirtualClock):
    """A virtual clock that moves with the machine's, unless paused."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._running_since: float | None = time.monotonic()

    @property
    def paused(self) -> bool:
        return self._running_since is None

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._ran())

    def set(self, moment: datetime) -> None:
        super().set(moment)
        if self._running_since is not None:
            self._running_since = time.monotonic()

    def pause(self) -> None:
        """Stand still."""
        ran, self._running_since = self._ran(), None
        super().sleep(ran)

    def resume(self) -> None:
        """Run on from where it stood."""
        if self._running_since is None:
            self._running_since = time.monotonic()

    def _ran(self) -> float:
        return 0.0 if self._running_since is None else time.monotonic() - self._running_since


class Ticker:
    """Calls `tick` every so often in a thread of its own, until closed."""

    def __init__(self, seconds: float, tick: Callable[[], None]) -> None:
        self._seconds, self._tick = seconds, tick
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger ticker", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self._tick()
