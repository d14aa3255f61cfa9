"""What the players hold: wallets with NFTs, sealed or revealed, taken by whoever acts next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from solders.keypair import Keypair

from harness.load.plan import REVEALED, SEALED, StockItem


@dataclass(frozen=True)
class Holding:
    """An NFT in a wallet. `address` is the client address that the wallet's requests come from."""

    wallet: Keypair
    mint: str
    address: str


class Stock:
    """One process's share of the stock. Empty where the profile uses none."""

    def __init__(self, items: Iterable[StockItem], index: int, random: Random) -> None:
        self._random = random
        self.sealed: deque[Holding] = deque()
        self.revealed: deque[Holding] = deque()
        self.wallets: list[Holding] = []
        for number, item in enumerate(items):
            holding = Holding(
                Keypair.from_base58_string(item.secret), item.mint, _address(index, number)
            )
            if item.state == SEALED:
                self.sealed.append(holding)
            elif item.state == REVEALED:
                self.revealed.append(holding)
            else:
                self.wallets.append(holding)

    def take_sealed(self) -> Holding | None:
        return self.sealed.popleft() if self.sealed else None

    def take_revealed(self) -> Holding | None:
        return self.revealed.popleft() if self.revealed else None

    def any_revealed(self) -> Holding | None:
        """A revealed NFT to look at; it stays where it is."""
        return self._random.choice(self.revealed) if self.revealed else None

    def any_wallet(self) -> Holding | None:
        return self._random.choice(self.wallets) if self.wallets else None


def _address(index: int, number: int) -> str:
    """An address of its own for each wallet, from the block that is reserved for benchmarks
    (198.18.0.0/15, RFC 2544): only ever the text of a header, never a target."""
    place = (index * 40_009 + number) % (2 * 65_536)
    return f"198.{18 + place // 65_536}.{place // 256 % 256}.{place % 256}"
