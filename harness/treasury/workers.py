"""Who does the work: this process, several of this machine's, or a Dask cluster's.

Each kind takes numbered pieces of work and gives the answers back in order. None may change an
answer; they differ only in how long they take.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

from harness.errors import StartError, UsageError

T = TypeVar("T")
WORKERS_MAX = 256
_AHEAD = 3  # pieces in hand for each worker
_DASK_SECONDS = 20


def in_order(
    work: Callable[..., T],
    pieces: list[tuple[Any, ...]],
    *,
    workers: int = 1,
    dask: str | None = None,
) -> Iterator[T]:
    """work(*piece) for each piece, in order. Raises UsageError, StartError."""
    if not 1 <= workers <= WORKERS_MAX:
        raise UsageError(f"workers: must be 1..{WORKERS_MAX}, is {workers}")
    if dask is not None:
        return _on_dask(work, pieces, dask)
    if workers == 1 or len(pieces) < 2:
        return (work(*piece) for piece in pieces)
    return _in_processes(work, pieces, min(workers, len(pieces)))


def _in_processes(
    work: Callable[..., T], pieces: list[tuple[Any, ...]], workers: int
) -> Iterator[T]:
    # Spawned, not forked: a fork of a process with threads (Dask, notebooks) may hang.
    with ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_leave_interrupts
    ) as pool:
        futures: dict[int, Future[T]] = {}
        sent = 0
        try:
            for place in range(len(pieces)):
                while sent < min(len(pieces), place + workers * _AHEAD):
                    futures[sent] = pool.submit(work, *pieces[sent])
                    sent += 1
                yield futures.pop(place).result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C is for the process that the person started; it tells the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _on_dask(work: Callable[..., T], pieces: list[tuple[Any, ...]], address: str) -> Iterator[T]:
    try:
        from distributed import Client
    except ImportError:
        raise StartError(
            "Dask is not installed: run `requirements/environment all` (make setup)"
        ) from None
    try:
        client = Client(address, timeout=_DASK_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise StartError(
            f"--dask {address}: no scheduler answers ({type(error).__name__}); start one with "
            "`dask scheduler` and give its tcp:// address"
        ) from None
    with contextlib.closing(client):
        slots = max(1, sum(client.nthreads().values()))
        futures: dict[int, Any] = {}
        sent = 0
        for place in range(len(pieces)):
            while sent < min(len(pieces), place + slots * _AHEAD):
                futures[sent] = client.submit(work, *pieces[sent], pure=False, retries=2)
                sent += 1
            yield futures.pop(place).result()
