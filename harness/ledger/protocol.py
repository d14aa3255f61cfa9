"""What the harness needs of a ledger, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from solders.pubkey import Pubkey

from harness.clock import Clock

if TYPE_CHECKING:
    from solana.rpc.api import Client
    from solana.rpc.async_api import AsyncClient


@dataclass(frozen=True)
class ProgramImage:
    """A program to have on the ledger from the start, under the upgradeable loader.

    `upgrade_authority` is None for a program that nobody can change.
    """

    address: Pubkey
    elf: bytes
    upgrade_authority: Pubkey | None = None


class Ledger(Protocol):
    """A running ledger. `kind` is embedded, validator or cluster."""

    kind: str
    rpc_url: str
    ws_url: str
    clock: Clock

    @property
    def funder(self) -> Pubkey | None:
        """Who pays for `fund`; None where that is not for us to know."""
        ...

    def client(self) -> Client:
        """An ordinary solana-py client of this ledger."""
        ...

    def async_client(self) -> AsyncClient:
        """An ordinary asynchronous solana-py client of this ledger."""
        ...

    def fund(self, address: Pubkey, lamports: int) -> None:
        """Give an address lamports, by a transaction that the ledger shows. Returns when landed."""
        ...

    def close(self) -> None: ...
