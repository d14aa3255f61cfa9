"""The reference backend, served over real HTTP on loopback by a thread of this process.

Being in the process lets the testbed pass it the virtual clock, a seeded generator and the
ledger's in-process client; its players still reach it through a socket, as anybody would.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from fastapi import FastAPI
from pydantic import SecretStr
from solders.keypair import Keypair

from backend.adapters.catalogue import catalogue, seed_catalogue
from backend.adapters.database import migrate
from backend.api.app import create_app
from backend.domain.rarity import GUIDE_ODDS, Randomness, pick
from backend.settings import Settings
from harness.clock import Clock
from harness.deployment import Deployment
from harness.ledger.embedded.server import ServerThread, listen
from harness.ledger.protocol import Ledger


class BackendServer:
    """A running backend. `secrets` are what must not stand in its logs."""

    def __init__(
        self,
        app: FastAPI,
        server: ServerThread,
        prefix: str,
        log: io.StringIO,
        secrets: tuple[str, ...],
    ) -> None:
        self.app = app
        self.url = f"http://{server.host}:{server.port}"
        self.base_url = self.url + prefix
        self.secrets = secrets
        self._log = log

    def log_text(self) -> str:
        """All that the backend has logged so far."""
        return self._log.getvalue()


def prepare_database(url: str) -> None:
    """Tables and catalogue, in an empty database."""
    migrate(url)
    seed_catalogue(url)


@contextmanager
def serve_reference_backend(
    *,
    deployment: Deployment,
    placeholder_uri: str,
    rate: Decimal,
    sol_usd: Decimal,
    database_url: str,
    authority: Keypair,
    treasury: Keypair,
    ledger: Ledger,
    clock: Clock,
    randomness: random.Random,
    box_id: str,
    rate_limit_requests: int = 0,
    reveal_limit_requests: int = 0,
    port: int = 0,
) -> Iterator[BackendServer]:
    """Serve the backend until the context is left. Limits of 0 are off.

    Raises UsageError for a busy port.
    """
    treasury_array = json.dumps(list(bytes(treasury)))
    settings = Settings(
        node_env="test",
        api_prefix="/api/v1",
        database_url=SecretStr(database_url),
        solana_rpc_url=ledger.rpc_url,
        buyback_program_id=str(deployment.buyback_program),
        buyback_config_version=deployment.buyback_config_version,
        collection_mint=str(deployment.collection_mint),
        candy_machine_id=str(deployment.candy_machine),
        admin_wallet_private_key=SecretStr(treasury_array),
        admin_private_key=SecretStr(str(authority)),
        box_id=box_id,
        buyback_rate=rate,
        sol_price_usd=sol_usd,
        placeholder_uri=placeholder_uri,
        rate_limit_max_requests=rate_limit_requests,
        reveal_limit_max_requests=reveal_limit_requests,
    )
    log = io.StringIO()
    app = create_app(settings, clock=clock, randomness=randomness, rpc=ledger.client(), log=log)
    server = ServerThread(app, listen("127.0.0.1", port), "reference backend")
    server.start()
    try:
        secrets = (treasury_array, str(treasury), str(authority), database_url)
        yield BackendServer(app, server, settings.api_prefix, log, secrets)
    finally:
        server.stop()
        app.state.engine.dispose()


def reference_prices() -> dict[str, dict[str, Decimal]]:
    """The reference backend's catalogue: tier to skin to price in US dollars."""
    prices: dict[str, dict[str, Decimal]] = {}
    for template in catalogue():
        prices.setdefault(template.rarity, {})[template.title] = template.base_price_usd
    return prices


def reference_roll(randomness: Randomness) -> Callable[[], tuple[str, str]]:
    """The reference backend's roll alone: each call draws a tier and a skin's name, with the very
    functions that its reveal calls, and touches no ledger and no database."""
    templates: dict[str, list[str]] = {}
    for template in catalogue():
        templates.setdefault(template.rarity, []).append(template.title)

    def roll() -> tuple[str, str]:
        tier = GUIDE_ODDS.roll(randomness)
        return tier, pick(templates[tier], randomness)

    return roll
