"""solana-py without a network: the same request bodies, the same dispatch, no socket."""

from __future__ import annotations

from typing import Any, Self

from solana.rpc.api import Client
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.providers.core import _parse_raw
from solders.rpc.requests import Body

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.dispatch import dispatch


class InProcessProvider:
    """Stands where solana-py's HTTP provider stands."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def make_request(self, body: Body, parser: Any) -> Any:
        return _parse_raw(dispatch(self._chain, body.to_json()), parser=parser)


class AsyncInProcessProvider(InProcessProvider):
    """The same for asynchronous clients. A call takes the ledger's lock and does not wait."""

    async def make_request(self, body: Body, parser: Any) -> Any:
        return super().make_request(body, parser)

    async def is_connected(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing to close; solana-py calls this."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def in_process_client(chain: Chain) -> Client:
    """An ordinary solana-py client whose calls stay in this process."""
    client = Client("http://127.0.0.1", commitment=Confirmed)
    client._provider.session.close()
    vars(client)["_provider"] = InProcessProvider(chain)
    return client


def in_process_async_client(chain: Chain) -> AsyncClient:
    """An ordinary asynchronous solana-py client whose calls stay in this process."""
    client = AsyncClient("http://127.0.0.1", commitment=Confirmed)
    vars(client)["_provider"] = AsyncInProcessProvider(chain)
    return client
