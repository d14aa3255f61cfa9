"""The services, put together once: what an entry point needs to hold."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey
from sqlalchemy import Engine

from backend.adapters.buyback_rows import BuybackRows
from backend.adapters.clock import Clock
from backend.adapters.database import Database
from backend.adapters.ledger import Ledger
from backend.adapters.obligation_rows import ObligationRows
from backend.adapters.reveal_rows import RevealRows
from backend.domain.boxes import Box, Boxes, read_boxes
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
    settings: Settings,
    engine: Engine,
    ledger: Ledger,
    clock: Clock,
    *,
    randomness: Randomness,
    price: SolPrice,
) -> Services:
    """Everything over one database and one ledger."""
    database = Database(engine)
    buyback_rows = BuybackRows(database, str(settings.treasury().pubkey()))
    reveals = RevealService(
        settings, RevealRows(database), ledger, clock, randomness, boxes_of(settings)
    )
    buybacks = BuybackService(settings, buyback_rows, ledger, clock, price)
    refunds = Refunds(settings, ObligationRows(database), ledger, clock)
    fairness = Fairness(database, clock, randomness)
    worker = Worker(
        reveals, buybacks, refunds, buyback_rows, ledger, clock,
        fairness if settings.provably_fair else None,
    )  # fmt: skip
    return Services(reveals, buybacks, refunds, fairness, worker)


def boxes_of(settings: Settings) -> Boxes:
    """BOXES, or the one box of BOX_ID and CANDY_MACHINE_ID. Raises ValueError."""
    if settings.boxes:
        return read_boxes(settings.boxes, settings.placeholder_uri)
    machine = Pubkey.from_string(settings.candy_machine_id)
    return Boxes([Box(settings.box_id, machine, settings.placeholder_uri)])
