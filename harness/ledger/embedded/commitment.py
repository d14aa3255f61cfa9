"""Commitment levels: how sure one is that a block stays.

Nothing is ever undone here, so by default the three levels show the same, at once. A ledger can
be told to let `confirmed` and `finalized` lag by slots, as on a cluster (about 1 and 32): then
they show slots, statuses, history and accounts as they were that many slots ago.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from solders.account import Account
from solders.pubkey import Pubkey


class Commitment(StrEnum):
    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"


@dataclass(frozen=True, slots=True)
class Lags:
    """By how many slots levels lag behind `processed`."""

    confirmed_slots: int = 0
    finalized_slots: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.confirmed_slots <= self.finalized_slots <= 150:
            raise ValueError(
                "lags are 0 <= confirmed <= finalized <= 150 slots, not "
                f"{self.confirmed_slots} and {self.finalized_slots}"
            )

    def of(self, commitment: Commitment) -> int:
        if commitment is Commitment.PROCESSED:
            return 0
        confirmed = commitment is Commitment.CONFIRMED
        return self.confirmed_slots if confirmed else self.finalized_slots

    def level(self, age_slots: int) -> Commitment:
        """The highest level that something of this age has."""
        if age_slots >= self.finalized_slots:
            return Commitment.FINALIZED
        confirmed = age_slots >= self.confirmed_slots
        return Commitment.CONFIRMED if confirmed else Commitment.PROCESSED


class Past:
    """What accounts were before each of the last slots: a pad of tracing paper over the register.

    Lifting the sheets of later slots shows an account as it was.
    """

    def __init__(self, slots_max: int) -> None:
        self._slots_max = slots_max
        self._sheets: deque[tuple[int, dict[Pubkey, Account | None]]] = deque()

    def keep(self, slot: int, before: dict[Pubkey, Account | None]) -> None:
        """Note what accounts were before a transaction of this slot changed them."""
        if self._slots_max:
            self._sheets.append((slot, before))
            while self._sheets and self._sheets[0][0] < slot - self._slots_max:
                self._sheets.popleft()

    def account(self, address: Pubkey, at_slot: int, now: Account | None) -> Account | None:
        """An account after all transactions up to and including `at_slot`."""
        for slot, before in reversed(self._sheets):
            if slot <= at_slot:
                break
            if address in before:
                now = before[address]
        return now
