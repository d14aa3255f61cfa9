"""Whether the parts that an answer needs are there: database, RPC, price, treasury.

A nurse's round: looks at every bed, at most once in two seconds however often someone asks, so
that asking costs the database and a paid RPC nothing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from solders.pubkey import Pubkey
from sqlalchemy import Engine, QueuePool, text

from backend.adapters.database import Database
from backend.adapters.ledger import Ledger
from backend.adapters.price_feed import PriceFeed
from backend.domain.errors import Refusal
from backend.domain.price import SolPrice
from backend.settings import Settings
from programs.buyback import client as buyback

#: SQLAlchemy opens ten more than the pool keeps.
POOL_CONNECTIONS_KEPT, POOL_CONNECTIONS_MAX = 20, 30
_KEPT_SECONDS = 2.0
_ALIVE = text("select 1")


@dataclass(frozen=True)
class Seen:
    """Each part as `ok` or the code of what is wrong with it; lamports as of then."""

    database: str
    rpc: str
    price: str
    treasury_lamports: int | None
    min_treasury_lamports: int | None
    enabled: bool | None

    @property
    def ready(self) -> bool:
        return (self.database, self.rpc, self.price) == ("ok", "ok", "ok")


class Probes:
    def __init__(self, settings: Settings, engine: Engine, ledger: Ledger, price: SolPrice) -> None:
        self._engine = engine
        self._database = Database(engine)
        self._ledger = ledger
        self._price = price
        program = Pubkey.from_string(settings.buyback_program_id)
        self._addresses = [
            buyback.config_address(settings.buyback_config_version, program),
            settings.treasury().pubkey(),
        ]
        self._lock = threading.Lock()
        self._kept: tuple[float, Seen] | None = None

    def look(self) -> Seen:
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > _KEPT_SECONDS:
                self._kept = (time.monotonic(), self._look())
            return self._kept[1]

    def _look(self) -> Seen:
        database = rpc = price = "ok"
        lamports = minimum = enabled = None
        try:
            self._database.rows(_ALIVE)
        except Refusal as refusal:
            database = refusal.code
        try:
            config, treasury = self._ledger.accounts(self._addresses)
            lamports = 0 if treasury is None else treasury.lamports
            if config is not None:
                parsed = buyback.Config.parse(bytes(config.data))
                minimum, enabled = parsed.min_treasury_balance, parsed.buyback_enabled
        except Refusal as refusal:
            rpc = refusal.code
        try:
            self._price.payout_price()
        except Refusal as refusal:
            price = refusal.code
        return Seen(database, rpc, price, lamports, minimum, enabled)

    def gauges(self) -> dict[str, tuple[str, float]]:
        """What is known, for Metrics: a part that does not answer has no value, not a false 0."""
        seen, pool = self.look(), self._engine.pool
        assert isinstance(pool, QueuePool)
        age = self._price.age_seconds() if isinstance(self._price, PriceFeed) else None
        read = {
            "treasury_lamports": ("The treasury's balance", seen.treasury_lamports),
            "treasury_min_lamports": ("What must stay in it", seen.min_treasury_lamports),
            "buyback_enabled": ("1 if buybacks are on", seen.enabled),
            "oracle_age_seconds": ("Age of the SOL price in use", age),
            "database_connections_in_use": ("Of this process's pool", pool.checkedout()),
            "database_connections_max": ("Of this process's pool", POOL_CONNECTIONS_MAX),
            "ready": ("1 if all parts answer", seen.ready),
        }
        return {
            name: (description, float(value))
            for name, (description, value) in read.items()
            if value is not None
        }
