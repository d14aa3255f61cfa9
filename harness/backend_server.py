"""The reference backend, served over real HTTP on loopback by a thread of this process.

Being in the process lets the testbed pass it the virtual clock, a seeded generator and the
ledger's in-process client; its players still reach it through a socket, as anybody would.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Protocol, TextIO

from fastapi import FastAPI
from fastapi.dependencies import models as dependency_models
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from solders.keypair import Keypair

from backend.adapters.catalogue import catalogue, seed_catalogue
from backend.adapters.database import downgrade, migrate
from backend.api.app import create_app
from backend.domain.boxes import read_odds
from backend.domain.rarity import GUIDE_ODDS, Randomness, pick
from backend.settings import Settings
from harness.backend_process import backend_environment
from harness.clock import Clock
from harness.deployment import Deployment
from harness.faults.mortal_backend import MortalBackend
from harness.ledger.embedded.server import ServerThread, listen
from harness.ledger.protocol import Ledger
from harness.market import Market
from harness.redis.place import RedisPlace


class Backend(Protocol):
    """A backend that the testbed runs. `secrets` are what must not stand in its logs."""

    url: str
    base_url: str
    secrets: tuple[str, ...]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None:
        """End it without a goodbye."""
        ...

    def restart(self, **changes: str) -> None:
        """Stop it, change settings (the guide's variables in lower case), start it again."""
        ...

    def tick(self) -> None:
        """Let its worker make a round."""
        ...

    def refresh_price(self) -> None:
        """Let it ask its price sources, if that is due."""
        ...

    def log_text(self) -> str:
        """All that it has logged so far."""
        ...


class _GivenSettings(Settings):
    """Settings as they are given, and the defaults: what a shell has from another project's `.env`
    must not decide which backend is tested."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: object,
        **__: object,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class BackendServer:
    """The backend in a thread of this process, with the testbed's clock, generator and ledger."""

    def __init__(
        self,
        environment: Mapping[str, str],
        secrets: tuple[str, ...],
        make_app: Callable[[Settings, TextIO], FastAPI],
        port: int,
    ) -> None:
        self.secrets = secrets
        self._values = {name.lower(): value for name, value in environment.items()}
        self._make_app = make_app
        self._port = port
        self._log = io.StringIO()
        self.start()
        self.base_url = self.url + self._values["api_prefix"]

    def start(self) -> None:
        settings = _GivenSettings.model_validate(self._values)
        self.app = self._make_app(settings, self._log)
        self._server = ServerThread(self.app, listen("127.0.0.1", self._port), "reference backend")
        self._server.start()
        self._port = self._server.port  # the same again after a restart
        self.url = f"http://{self._server.host}:{self._port}"

    def stop(self) -> None:
        self._server.stop()
        self.app.state.engine.dispose()
        _forget_endpoints()

    def kill(self) -> None:
        raise NotImplementedError("a thread can't be killed; see the setting backend_process")

    def restart(self, **changes: str) -> None:
        self.stop()
        self._values.update(changes)
        self.start()

    def tick(self) -> None:
        self.app.state.services.worker.tick()

    def refresh_price(self) -> None:
        self.app.state.price.refresh_if_due()

    def log_text(self) -> str:
        return self._log.getvalue()


def _forget_endpoints() -> None:
    """FastAPI keeps what it found out about thousands of endpoints for as long as the process
    lives, and through each of them the application's services, its ledger and its pool. Where one
    application is served after the other, that is 2 to 4 MB more with each."""
    for remembered in vars(dependency_models).values():
        if hasattr(remembered, "cache_clear"):
            remembered.cache_clear()


def prepare_database(url: str) -> None:
    """Tables and catalogue, in an empty database."""
    migrate(url)
    seed_catalogue(url)


def remigrate(url: str, revision: str) -> None:
    """Take the schema back to a revision and up to the newest again, data and all."""
    downgrade(url, revision)
    migrate(url)


@contextmanager
def serve_reference_backend(
    *,
    deployment: Deployment,
    placeholder_uri: str,
    market: Market,
    database_url: str,
    authority: Keypair,
    treasury: Keypair,
    ledger: Ledger,
    rpc_url: str | None = None,
    clock: Clock,
    randomness: random.Random,
    box_id: str,
    rate_limit_requests: int = 0,
    reveal_limit_requests: int = 0,
    port: int = 0,
    process_log: Path | None = None,
    changes: Mapping[str, str] | None = None,
    redis: RedisPlace | None = None,
) -> Iterator[Backend]:
    """Serve the backend until the context is left.

    With `process_log` it runs as a process of its own that writes there, else in this process.
    `rpc_url` is where it finds the ledger, if not directly; `changes` are more of its variables.
    Limits of 0 are off. Raises UsageError for a busy port, StartError if it does not start.
    """
    treasury_array = json.dumps(list(bytes(treasury)))
    terms = market.terms
    environment = {
        **backend_environment(
            deployment=deployment,
            authority=authority,
            treasury=treasury,
            database_url=database_url,
            rpc_url=rpc_url or ledger.rpc_url,
            box_id=box_id,
            placeholder_uri=placeholder_uri,
        ),
        "BUYBACK_CONFIG_VERSION": str(deployment.buyback_config_version),
        "BUYBACK_RATE": str(terms.rate),
        "SOL_PRICE_USD": str(terms.sol_usd),
        "RATE_LIMIT_MAX_REQUESTS": str(rate_limit_requests),
        "REVEAL_LIMIT_MAX_REQUESTS": str(reveal_limit_requests),
        **({} if redis is None else redis.variables()),
        **(changes or {}),
    }
    secrets: tuple[str, ...] = (treasury_array, str(treasury), str(authority), database_url)
    if redis is not None:
        secrets += (redis.password,)
    if process_log is not None:
        process = MortalBackend(environment, process_log, secrets)
        try:
            yield process
        finally:
            process.stop()
        return
    # Behind a proxy the backend makes its own client, as production does.
    rpc = ledger.client() if rpc_url is None else None

    def make_app(settings: Settings, log: TextIO) -> FastAPI:
        price = market if settings.price_sources == ("static",) else None
        return create_app(
            settings, clock=clock, randomness=randomness, rpc=rpc, price=price, log=log
        )

    server = BackendServer(environment, secrets, make_app, port)
    try:
        yield server
    finally:
        server.stop()


def reference_prices() -> dict[str, dict[str, Decimal]]:
    """The reference backend's catalogue: tier to skin to price in US dollars."""
    prices: dict[str, dict[str, Decimal]] = {}
    for template in catalogue():
        prices.setdefault(template.rarity, {})[template.title] = template.base_price_usd
    return prices


def reference_roll(
    randomness: Randomness, odds: Mapping[str, str] | None = None
) -> Callable[[], tuple[str, str]]:
    """The reference backend's roll alone: each call draws a tier and a skin's name, with the very
    functions that its reveal calls, and touches no ledger and no database. `odds`: of a box type of
    its own, each tier's share as text; the guide's if None."""
    rolled = GUIDE_ODDS if odds is None else read_odds(odds)
    templates: dict[str, list[str]] = {}
    for template in catalogue():
        templates.setdefault(template.rarity, []).append(template.title)

    def roll() -> tuple[str, str]:
        tier = rolled.roll(randomness)
        return tier, pick(templates[tier], randomness)

    return roll
