"""Profiles of transactions that were tried: what they cost and what they would change.

Like a receipt for a window-shopper: nothing was bought, but the till has added it all up.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from harness.ledger.embedded.record import Execution

PROFILES_MAX = 1000
_NAMESPACE = uuid.NAMESPACE_URL


@dataclass(frozen=True, slots=True)
class Profile:
    """What came of trying a transaction in `slot`. `before` and `after` are of its writable
    accounts, None where there is none; `error` is the transaction's, as JSON."""

    key: str
    slot: int
    before: Mapping[Pubkey, Account | None]
    after: Mapping[Pubkey, Account | None]
    readonly: Mapping[Pubkey, Account]
    error: Any
    execution: Execution


class Profiles:
    """The latest profiles, by key and by tag; the oldest go when there are PROFILES_MAX."""

    def __init__(self) -> None:
        self._by_key: dict[str, tuple[Profile, str | None]] = {}
        self._made = 0

    def next_key(self) -> str:
        """A key that no profile has; the same ones in each run."""
        self._made += 1
        return str(uuid.uuid5(_NAMESPACE, f"profile {self._made}"))

    def add(self, profile: Profile, tag: str | None) -> None:
        self._by_key[profile.key] = (profile, tag)
        if len(self._by_key) > PROFILES_MAX:
            del self._by_key[next(iter(self._by_key))]

    def get(self, key: str) -> Profile | None:
        found = self._by_key.get(key)
        return None if found is None else found[0]

    def tagged(self, tag: str) -> list[Profile]:
        """Those with this tag, oldest first."""
        return [profile for profile, own in self._by_key.values() if own == tag]
