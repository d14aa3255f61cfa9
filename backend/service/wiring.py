"""The services, put together once: what an entry point needs to hold."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from backend.adapters.clock import Clock
from backend.adapters.ledger import Ledger
from backend.domain.price import SolPrice
from backend.domain.rarity import Randomness
from backend.service.buyback import BuybackService
from backend.service.reveal import RevealService
from backend.settings import Settings


@dataclass(frozen=True)
class Services:
    """Reveal and buyback, and the worker that finishes what a request could not.

    `worker.tick()` does what is due and returns how many jobs it did; production calls it from a
    thread every few seconds, a testbed when it likes.
    """

    reveals: RevealService
    buybacks: BuybackService


def build_services(
    settings: Settings,
    engine: Engine,
    ledger: Ledger,
    clock: Clock,
    *,
    randomness: Randomness,
    price: SolPrice,
) -> Services:
    """Everything over one database and one ledger."""
    sessions = sessionmaker(engine, expire_on_commit=False)
    return Services(
        reveals=RevealService(settings, sessions, ledger, clock, randomness),
        buybacks=BuybackService(settings, sessions, ledger, clock, price),
    )
