"""Whether the parts that an answer needs are there: database, RPC, price, treasury.

A nurse's round: looks at every bed, at most once in two seconds however often someone asks, so
that asking costs the database and a paid RPC nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine, QueuePool, text

from backend.adapters.price_feed import PriceFeed
from backend.domain.errors import Refusal
from backend.service.base import Service

#: SQLAlchemy opens ten more than the pool keeps.
POOL_CONNECTIONS_KEPT, POOL_CONNECTIONS_MAX = 20, 30
_KEPT_SECONDS = 2.0
_ALIVE = text("select 1")


@dataclass
class Seen:
    """Each part as `ok` or the code of what is wrong with it; lamports as of then."""

    database: str = "ok"
    rpc: str = "ok"
    price: str = "ok"
    treasury_lamports: int | None = None
    min_treasury_lamports: int | None = None
    enabled: bool | None = None

    @property
    def ready(self) -> bool:
        return (self.database, self.rpc, self.price) == ("ok", "ok", "ok")


@dataclass
class Probes:
    """Looks with the eyes of a service: its database, its ledger, its price."""

    service: Service
    engine: Engine
    _kept: tuple[float, Seen] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> Seen:
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > _KEPT_SECONDS:
                self._kept = (time.monotonic(), self._look())
            return self._kept[1]

    def _look(self) -> Seen:
        seen = Seen()

        def treasury() -> None:
            config, seen.treasury_lamports, _ = self.service.treasury_state()
            if config is not None:
                seen.min_treasury_lamports = config.min_treasury_balance
                seen.enabled = config.buyback_enabled

        parts: dict[str, Callable[[], object]] = {
            "database": lambda: self.service.db.rows(_ALIVE),
            "rpc": treasury,
            "price": self.service.price.payout_price,
        }
        for name, ask in parts.items():
            try:
                ask()
            except Refusal as refusal:
                setattr(seen, name, refusal.code)
        return seen

    def gauges(self) -> dict[str, tuple[str, float]]:
        """What is known, for Metrics: a part that does not answer has no value, not a false 0."""
        seen, pool, price = self.look(), self.engine.pool, self.service.price
        assert isinstance(pool, QueuePool)
        read = {
            "treasury_lamports": ("The treasury's balance", seen.treasury_lamports),
            "treasury_min_lamports": ("What must stay in it", seen.min_treasury_lamports),
            "buyback_enabled": ("1 if buybacks are on", seen.enabled),
            "oracle_age_seconds": (
                "Age of the SOL price in use",
                price.age_seconds() if isinstance(price, PriceFeed) else None,
            ),
            "database_connections_in_use": ("Of this process's pool", pool.checkedout()),
            "database_connections_max": ("Of this process's pool", POOL_CONNECTIONS_MAX),
            "ready": ("1 if all parts answer", seen.ready),
        }
        return {
            name: (about, float(value))
            for name, (about, value) in read.items()
            if value is not None
        }
