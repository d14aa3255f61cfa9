"""Every account there is: the town's land register.

The virtual machine is only a workshop; what an account holds is written here. Entries are found
by address and by owner, and an entry that is missing can be looked up in another ledger's
register (`source`), once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from solders.account import Account
from solders.pubkey import Pubkey


class Source(Protocol):
    """Where accounts come from that this ledger never saw: another cluster."""

    def fetch(self, addresses: list[Pubkey], *, anew: bool = False) -> list[Account | None]:
        """The accounts as they are there, in order; None where there is none. With `anew` they
        are asked for even if they are kept from earlier."""
        ...


class Accounts:
    """Accounts by address and by owner. A closed account (no lamports) is not kept."""

    def __init__(self, source: Source | None = None) -> None:
        self.source = source
        self._by_address: dict[Pubkey, Account] = {}
        self._by_owner: dict[Pubkey, dict[Pubkey, None]] = {}
        self._settled: set[Pubkey] = set()  # closed or changed here: the source has no say
        self._pinned: set[Pubkey] = set()  # never asked for
        #: Fetched anew each time they are needed; with True the accounts that they own, too.
        self.streamed: dict[Pubkey, bool] = {}

    def __len__(self) -> int:
        return len(self._by_address)

    def __iter__(self) -> Iterator[tuple[Pubkey, Account]]:
        return iter(list(self._by_address.items()))

    def get(self, address: Pubkey) -> Account | None:
        account = self._by_address.get(address)
        if account is None and self.source is not None:
            self.bring([address])
            account = self._by_address.get(address)
        return account

    def bring(self, addresses: Iterable[Pubkey]) -> None:
        """Take over from the source what is not known here, in one call."""
        if self.source is None:
            return
        missing = [
            one
            for one in dict.fromkeys(addresses)
            if not (one in self._by_address or one in self._settled or one in self._pinned)
        ]
        if not missing:
            return
        for address, account in zip(missing, self.source.fetch(missing), strict=True):
            self.put(address, account)

    def streams(self, addresses: Iterable[Pubkey]) -> list[tuple[Pubkey, Account | None]]:
        """Those of the accounts that are streamed, as the source has them now."""
        if self.source is None or not self.streamed:
            return []
        live = [one for one in dict.fromkeys(addresses) if self._is_streamed(one)]
        return list(zip(live, self.source.fetch(live, anew=True), strict=True)) if live else []

    def _is_streamed(self, address: Pubkey) -> bool:
        if address in self._pinned:
            return False
        known = self._by_address.get(address)
        owned = known is not None and self.streamed.get(known.owner, False)
        return owned or address in self.streamed

    def pin(self, address: Pubkey) -> None:
        """Never ask the source for it: what is here, or nothing, stays."""
        self.streamed.pop(address, None)
        self._pinned.add(address)

    def put(self, address: Pubkey, account: Account | None) -> None:
        """Enter an account; None or one without lamports takes it off the register."""
        known = self._by_address.get(address)
        owner = None if account is None or account.lamports == 0 else account.owner
        if known is not None and known.owner != owner:
            self._by_owner[known.owner].pop(address, None)
        if owner is None or account is None:
            self._by_address.pop(address, None)
        else:
            self._by_address[address] = account
            self._by_owner.setdefault(owner, {})[address] = None
        if self.source is not None:
            self._settled.add(address)

    def forget(self, address: Pubkey) -> None:
        """As if it had never been seen: the source is asked again."""
        self.put(address, None)
        self._settled.discard(address)

    def ask_again(self) -> None:
        """Let the source have its say on accounts that were closed here, too."""
        self._settled.clear()

    def owned_by(self, owner: Pubkey) -> list[tuple[Pubkey, Account]]:
        """Every account of a program, in order of appearance."""
        return [(one, self._by_address[one]) for one in self._by_owner.get(owner, ())]
