"""The services, put together once: what an entry point needs to hold."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from backend.adapters.clock import Clock
from backend.adapters.database import Database
from backend.adapters.ledger import Ledger
from backend.domain.price import SolPrice
from backend.domain.rarity import Randomness
from backend.service.buyback import BuybackService
from backend.service.fairness import Fairness
from backend.service.refunds import Refunds
from backend.service.reveal import RevealService
from backend.service.worker import Worker
from backend.settings import Settings


@dataclass(frozen=True)
class Services:
    """Reveal and buyback, and the worker that finishes what a request could not.

    `worker.tick()` does what is due; production calls `worker.run` in a thread, a testbed ticks
    when it likes.
    """

    reveals: RevealService
    buybacks: BuybackService
    refunds: Refunds
    fairness: Fairness
    worker: Worker


def build_services(
    settings: Settings, engine: Engine, ledger: Ledger, clock: Clock, *, randomness: Randomness,
    price: SolPrice,
) -> Services:  # fmt: skip
    """Everything over one database and one ledger."""
    parts = (settings, Database(engine), ledger, clock, randomness, price)
    reveals, buybacks, refunds = RevealService(*parts), BuybackService(*parts), Refunds(*parts)
    fairness = Fairness(reveals.db, clock, randomness)
    worker = Worker(reveals, buybacks, refunds, fairness)
    return Services(reveals, buybacks, refunds, fairness, worker)
