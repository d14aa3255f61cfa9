"""The embedded ledger: a real Solana virtual machine in this process, behind Solana's own RPC.

Nothing waits and nothing is random. Transactions run on LiteSVM with the real program binaries;
time is the testbed's clock; clients speak JSON-RPC over loopback, or the same calls in process.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from solders.pubkey import Pubkey

from harness.clock import Clock, VirtualClock
from harness.errors import StartError
from harness.ledger.embedded.chain import SLOT_SECONDS, START, Chain
from harness.ledger.embedded.record import Refused
from harness.ledger.embedded.rpc_error import describe
from harness.ledger.embedded.running_clock import RunningClock, Ticker
from harness.ledger.embedded.server import RpcApplication, ServerThread, listen_pair
from harness.ledger.protocol import ProgramImage
from harness.proxies import spare_loopback

if TYPE_CHECKING:
    from solana.rpc.api import Client
    from solana.rpc.async_api import AsyncClient

__all__ = ["START", "EmbeddedLedger"]


class EmbeddedLedger:
    """A ledger of this process. Use as a context manager."""

    kind = "embedded"

    def __init__(self, chain: Chain, server: ServerThread) -> None:
        self.chain = chain
        self.clock: Clock = chain.clock
        self._server = server
        self._ticker = None
        if isinstance(chain.clock, RunningClock):
            self._ticker = Ticker(SLOT_SECONDS, self._tick)
        self.rpc_url = f"http://{server.host}:{server.port}"
        # Beside it as on a node; the HTTP port answers websockets, too.
        self.ws_url = f"ws://{server.host}:{server.port + 1}"

    @classmethod
    def start(
        cls,
        clock: Clock | None = None,
        programs: Iterable[ProgramImage] = (),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> EmbeddedLedger:
        """Start a ledger; port 0 takes any free one.

        Raises UsageError for a busy port and StartError if the server does not come up.
        """
        return cls.serve(Chain(clock or VirtualClock(START), programs), host, port)

    @classmethod
    def serve(cls, chain: Chain, host: str = "127.0.0.1", port: int = 0) -> EmbeddedLedger:
        """Serve a chain that is there already on a port and the next; 0 takes any free pair."""
        spare_loopback()
        sock, beside = listen_pair(host, port)
        chain.rpc_address = "{}:{}".format(*sock.getsockname())
        server = ServerThread(RpcApplication(chain), sock, "embedded ledger", beside)
        server.start()
        return cls(chain, server)

    @property
    def funder(self) -> Pubkey:
        return self.chain.faucet.pubkey()

    def client(self) -> Client:
        from harness.ledger.embedded.transport import InProcessClient  # httpx: not for a server

        return InProcessClient(self.chain)

    def async_client(self) -> AsyncClient:
        from harness.ledger.embedded.transport import AsyncInProcessClient

        return AsyncInProcessClient(self.chain)

    def fund(self, address: Pubkey, lamports: int) -> None:
        with self.chain.lock:
            done = self.chain.airdrop(address, lamports)
        if isinstance(done, Refused):
            raise StartError(f"the embedded faucet refused: {describe(done.error)}")

    def _tick(self) -> None:
        """Slots that pass without a transaction are told, too."""
        with self.chain.lock:
            self.chain.sync()
            self.chain.tell_slot(self.chain.slot - 1)

    def close(self) -> None:
        if self._ticker is not None:
            self._ticker.close()
        self._server.stop()
        self.chain.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
