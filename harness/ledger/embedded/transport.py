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


class InProcessClient(Client):
    """An ordinary solana-py client whose calls stay in this process."""

    def __init__(self, chain: Chain) -> None:
        super(Client, self).__init__(Confirmed)  # everything but the HTTP session
        vars(self)["_provider"] = InProcessProvider(chain)


class AsyncInProcessClient(AsyncClient):
    """An ordinary asynchronous solana-py client whose calls stay in this process."""

    def __init__(self, chain: Chain) -> None:
        super(AsyncClient, self).__init__(Confirmed)
        vars(self)["_provider"] = AsyncInProcessProvider(chain)
