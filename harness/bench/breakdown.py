"""Where the time of a whole life cycle goes: a stopwatch on each part, the rest by subtraction.

The stopwatches cost something themselves, so these are cycles of their own, not those whose rate
is compared with the raw virtual machine.
"""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from harness.ledger.embedded.bank import Bank
from harness.ledger.embedded.transport import InProcessProvider
from harness.run.session import RunOptions, RunSession
from harness.testbed import Testbed

_WARM_UP = 30


@dataclass(frozen=True)
class Breakdown:
    """Milliseconds of one cycle, by what they were spent on. They add up to `cycle_ms`."""

    cycle_ms: float
    virtual_machine_ms: float
    #: Calls of players and backend, without a socket and without what the virtual machine takes.
    rpc_ms: float
    #: From a player's call until the backend's service begins, and back: httpx, uvicorn, FastAPI.
    http_ms: float
    sql_ms: float
    #: The harness looks at the rows that a call may have changed, for the journal.
    watched_rows_ms: float
    other_ms: float

    def rows(self) -> list[tuple[str, str]]:
        """Names and figures, for people."""
        named = (
            ("a cycle under stopwatches, ms", self.cycle_ms),
            ("  of it the virtual machine", self.virtual_machine_ms),
            ("  RPC, without a socket", self.rpc_ms),
            ("  HTTP: client, server and FastAPI", self.http_ms),
            ("  the backend's SQL", self.sql_ms),
            ("  the journal's look at the rows", self.watched_rows_ms),
            ("  all else of backend and players", self.other_ms),
        )
        return [(name, f"{value:.1f}") for name, value in named]


def measure_breakdown(cycles: int, folder: Path, seed: str) -> Breakdown:
    """Play `cycles` whole life cycles with a stopwatch on each part."""
    session = RunSession(RunOptions(seed=seed, folder=folder))
    spent: dict[str, float] = defaultdict(float)
    try:
        with session.testbed("breakdown", title="whole life cycles, timed part by part") as bed:
            player = bed.player(lamports=(cycles + _WARM_UP) * 10**9)

            def play(number: int) -> None:
                for _ in range(number):
                    nft = player.mint()
                    player.reveal(nft)
                    player.sell(nft)

            play(_WARM_UP)
            with ExitStack() as stack:
                for name, owner, method in _parts(bed):
                    stack.enter_context(_timed(spent, name, owner, method))
                started = time.perf_counter()
                play(cycles)
                whole = time.perf_counter() - started
    finally:
        session.close()
    parts = {
        "virtual_machine_ms": spent["machine"],
        "rpc_ms": spent["rpc"] - spent["machine"],
        "http_ms": spent["http"] - spent["service"],
        "sql_ms": spent["sql"],
        "watched_rows_ms": spent["watch"],
    }
    parts["other_ms"] = whole - sum(parts.values())
    return Breakdown(
        cycle_ms=whole / cycles * 1000,
        **{name: seconds / cycles * 1000 for name, seconds in parts.items()},
    )


def _parts(bed: Testbed) -> Iterator[tuple[str, Any, str]]:
    """What is timed, under which name: owners and their methods. None of one name is called
    within another of that name, or its time would count twice."""
    yield "machine", Bank, "simulate"
    yield "rpc", InProcessProvider, "make_request"
    yield "http", httpx.Client, "request"
    yield "watch", bed.api, "after_call"
    backend: Any = bed.backend
    services = backend.app.state.services
    yield "sql", type(services.reveals.db), "rows"
    yield "service", type(services.reveals), "reveal"
    for method in ("calculate", "request", "confirm"):
        yield "service", type(services.buybacks), method


@contextmanager
def _timed(spent: dict[str, float], name: str, owner: Any, method: str) -> Iterator[None]:
    """Count the time that a method takes, until the context is left."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def timed(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            spent[name] += time.perf_counter() - started

    setattr(owner, method, timed)
    try:
        yield
    finally:
        setattr(owner, method, original)
