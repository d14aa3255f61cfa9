"""Who does the work: this process, several of this machine's, or a Dask cluster's.

Each kind takes numbered pieces of work and gives the answers back in order. None may change an
answer; they differ only in how long they take.
"""

from __future__ import annotations

import functools
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from harness.errors import StartError, UsageError

T = TypeVar("T")
WORKERS_MAX = 256
_AHEAD = 3  # pieces in hand for each worker
_DASK_SECONDS = 20


class Crew:
    """Workers that stay for several rounds of work: starting a process costs seconds.

    Use as a context manager. Processes and the connection to a cluster begin with the first work
    that needs them. Raises UsageError for an impossible number of workers.
    """

    def __init__(self, workers: int = 1, dask: str | None = None) -> None:
        if not 1 <= workers <= WORKERS_MAX:
            raise UsageError(f"workers: must be 1..{WORKERS_MAX}, is {workers}")
        self.workers, self._dask = workers, dask
        self._pool: ProcessPoolExecutor | None = None
        self._client: Any = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def in_order(self, work: Callable[..., T], pieces: list[tuple[Any, ...]]) -> Iterator[T]:
        """work(*piece) for each piece, in order. Raises StartError if a cluster does not answer."""
        if self._dask is not None:
            if self._client is None:
                self._client = _connect(self._dask)
            slots = max(1, sum(self._client.nthreads().values()))
            submit = functools.partial(self._client.submit, pure=False, retries=2)
            return _ahead(submit, work, pieces, slots * _AHEAD)
        if self.workers == 1 or len(pieces) < 2:
            return (work(*piece) for piece in pieces)
        if self._pool is None:
            # Spawned, not forked: a fork of a process with threads (Dask, notebooks) may hang.
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=multiprocessing.get_context("spawn"),
                initializer=_leave_interrupts,
            )  # fmt: skip
        return _ahead(self._pool.submit, work, pieces, self.workers * _AHEAD)


def in_order(
    work: Callable[..., T],
    pieces: list[tuple[Any, ...]],
    *,
    workers: int = 1,
    dask: str | None = None,
) -> Iterator[T]:
    """work(*piece) for each piece, in order, by a crew of its own. Raises as `Crew`."""
    with Crew(min(workers, max(1, len(pieces))) if workers > 0 else workers, dask) as crew:
        yield from crew.in_order(work, pieces)


def _ahead(
    submit: Callable[..., Any], work: Callable[..., T], pieces: list[tuple[Any, ...]], most: int
) -> Iterator[T]:
    """Hand out at most `most` pieces more than have been given back; what is left is called off."""
    futures: dict[int, Any] = {}
    sent = 0
    try:
        for place in range(len(pieces)):
            while sent < min(len(pieces), place + most):
                futures[sent] = submit(work, *pieces[sent])
                sent += 1
            yield futures.pop(place).result()
    finally:
        for future in futures.values():
            future.cancel()


def _leave_interrupts() -> None:
    """Ctrl-C is for the process that the person started; it tells the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _connect(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout=_DASK_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise StartError(
            f"--dask {address}: no scheduler answers ({type(error).__name__}); start one with "
            "`dask scheduler` and give its tcp:// address"
        ) from None
