"""The worker: what no request is left to finish.

A night porter who walks round every few seconds: reveals that were abandoned, quotes that nobody
confirmed, NFTs that are gone without a record. Each round takes a few jobs with a lease, so that
several porters in several processes do not get in each other's way. Time is the passed clock's: a
testbed calls `tick` itself, production runs `run` in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from solders.pubkey import Pubkey

from backend.adapters import buyback_sql as sql
from backend.domain.errors import Refusal
from backend.service.base import is_label
from backend.service.buyback import BuybackService
from backend.service.fairness import Fairness
from backend.service.refunds import Refunds
from backend.service.reveal import RevealService
from programs.token_metadata import client as token_metadata

_LEASE = timedelta(seconds=30)
_DUE_MAX = 20
_SWEEP_EVERY = timedelta(seconds=60)
_SWEEP_MAX = 100  # accounts in one RPC call
_REPAIRS_MAX = 20
_ROUND_SECONDS = 2.0


@dataclass
class Worker:
    """Retries, reconciles, repairs, refunds."""

    reveals: RevealService
    buybacks: BuybackService
    refunds: Refunds
    fairness: Fairness
    _swept = 0
    _next_sweep: datetime | None = None

    def tick(self) -> int:
        """One round; how many jobs there were. Raises a Refusal if database or ledger is away."""
        if self.reveals.settings.provably_fair:
            self.fairness.ensure()
        done = self.reveals.retry_due() + self._settle_quotes() + self.refunds.pay_due()
        now = self.buybacks.clock.now()
        if self._next_sweep is None or now >= self._next_sweep:
            done += self.sweep()
            self._next_sweep = now + _SWEEP_EVERY
        return done

    def run(self, stop: threading.Event, on_error: Callable[[Exception], None]) -> None:
        """Round after round until `stop` is set. A round that fails is reported, not fatal."""
        while not stop.is_set():
            try:
                self.tick()
            except Exception as error:  # the next round may go well
                on_error(error)
            stop.wait(_ROUND_SECONDS)

    def sweep(self) -> int:
        """Look at a page of NFTs that count as unsold or whose sale is entered by half, until there
        are too many suspects: finds what no live quote leads to, as a payment that landed late."""
        page = self.buybacks.db.rows(sql.UNSOLD, after=self._swept, most=_SWEEP_MAX)
        mints = {row.id: Pubkey.from_string(row.nft_mint) for row in page}
        addresses = [token_metadata.metadata_address(mint) for mint in mints.values()]
        found = zip(page, self.buybacks.ledger.accounts(addresses) if page else (), strict=True)
        suspects = [row.id for row, account in found if row.half or not is_label(account)]
        last = page[-1].id if len(page) == _SWEEP_MAX else 0
        self._swept = suspects[_REPAIRS_MAX - 1] if len(suspects) > _REPAIRS_MAX else last
        return sum(self.buybacks.repair(mints[one]) for one in suspects[:_REPAIRS_MAX])

    def _settle_quotes(self) -> int:
        now = self.buybacks.clock.now()
        due = self.buybacks.db.rows(sql.CLAIM, now=now, lease_until=now + _LEASE, most=_DUE_MAX)
        for quote in due:
            with suppress(Refusal):  # due again after the lease
                self.buybacks.settle(quote)
        return len(due)
