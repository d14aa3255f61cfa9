"""Makes a profile's faults happen, each in its window: between backend and ledger, at the
database, at the price source."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import URL

from harness.faults.database_outage import database_outage
from harness.faults.price_board import PriceBoard
from harness.faults.rpc_proxy import Kind, RpcProxy
from harness.load.fault import DATABASE_FAILOVER, LEDGER_STALL, ORACLE_FREEZE, RPC_429, Fault

_CALLS_MAX = 1_000_000
_SOL_USD = "200"
_LEAVE_SECONDS = 90.0  # longer than the longest fault that is on when the crowd has gone early


@dataclass
class Weather:
    """`variables` are what the backend must be told so that the faults can reach it."""

    variables: dict[str, str]
    _cause: Callable[[Fault], ExitStack]
    _faults: Sequence[Fault]
    #: (name, from, until) as it happened, in seconds since the crowd came.
    happened: list[tuple[str, float, float]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _failure: BaseException | None = None

    def begin(self, began: float) -> None:
        """The crowd came at `began` of the monotonic clock."""
        if self._faults and self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(began,), name="weather")
            self._thread.start()

    def end(self) -> None:
        """Fair weather from here on. Raises what kept a fault from happening."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(_LEAVE_SECONDS)
        if self._failure is not None:
            raise self._failure

    def _run(self, began: float) -> None:
        try:
            for fault in self._faults:
                if self._over.wait(max(0.0, began + fault.at_s - time.monotonic())):
                    return
                with self._cause(fault):
                    start = time.monotonic() - began
                    self._over.wait(max(0.0, began + fault.until_s - time.monotonic()))
                self.happened.append((fault.name, start, time.monotonic() - began))
        except BaseException as failure:
            self._failure = failure


@contextmanager
def open_weather(faults: Sequence[Fault], rpc_url: str, database: URL) -> Iterator[Weather]:
    """Put what the faults need between the backend and the world; nothing without faults."""
    kinds = {fault.kind for fault in faults}
    with ExitStack() as stack:
        variables: dict[str, str] = {}
        proxy = board = None
        if kinds & {RPC_429, LEDGER_STALL}:
            proxy = stack.enter_context(RpcProxy(rpc_url))
            variables["SOLANA_RPC_URL"] = proxy.url
        if ORACLE_FREEZE in kinds:
            board = stack.enter_context(PriceBoard(_SOL_USD))
            variables |= {
                "PRICE_SOURCES": "kraken", "KRAKEN_URL": board.url,
                "PRICE_REFRESH_SECONDS": "10", "PRICE_MAX_AGE_SECONDS": "60",
            }  # fmt: skip

        def cause(fault: Fault) -> ExitStack:
            lifted = ExitStack()
            if fault.kind == DATABASE_FAILOVER:
                lifted.enter_context(database_outage(database))
            elif fault.kind == ORACLE_FREEZE:
                assert board is not None
                board.usd = None
                lifted.callback(setattr, board, "usd", _SOL_USD)
            else:
                assert proxy is not None
                kind = Kind.TOO_MANY if fault.kind == RPC_429 else Kind.HELD_BEFORE
                proxy.trouble(kind, times=_CALLS_MAX, share=fault.share)
                lifted.callback(proxy.clear)
            return lifted

        weather = Weather(variables, cause, faults)
        try:
            yield weather
        finally:
            weather.end()
