"""A second backend beside a testbed's own: same ledger, database and clock, other settings."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from solana.rpc.api import Client

from backend.api.app import create_app
from backend.domain.price import SolPrice
from backend.settings import Settings
from harness.ledger.embedded.server import ServerThread, listen
from harness.testbed import Testbed


@dataclass(frozen=True)
class Served:
    app: FastAPI
    http: httpx.Client
    root: str
    log: io.StringIO

    def post(self, path: str, body: Any) -> httpx.Response:
        """With a connection of its own, for calls at the same time."""
        with httpx.Client(base_url=self.http.base_url, timeout=30, verify=False) as http:
            return http.post(path, json=body)


def settings_of(testbed: Testbed, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "node_env": "test",
        "database_url": testbed.engine.url.render_as_string(hide_password=False),
        "solana_rpc_url": testbed.ledger.rpc_url,
        "buyback_program_id": str(testbed.deployment.buyback_program),
        "buyback_config_version": testbed.deployment.buyback_config_version,
        "collection_mint": str(testbed.deployment.collection_mint),
        "candy_machine_id": str(testbed.deployment.candy_machine),
        "admin_wallet_private_key": json.dumps(list(bytes(testbed.treasury_key))),
        "admin_private_key": str(testbed.authority_key),
        "placeholder_uri": testbed.config.hidden.uri,
        "rate_limit_max_requests": 0,
        "reveal_limit_max_requests": 0,
    }
    return Settings(**{**values, **changes})


@contextmanager
def serve(
    testbed: Testbed,
    *,
    price: SolPrice | None = None,
    rpc: Client | None = None,
    **changes: Any,
) -> Iterator[Served]:
    """Serve it on a port of 127.0.0.1; settings of the testbed's backend but for `changes`."""
    settings, log = settings_of(testbed, **changes), io.StringIO()
    app = create_app(
        settings, clock=testbed.clock, randomness=random.Random(1),
        rpc=rpc or testbed.ledger.client(), price=price, log=log,
    )  # fmt: skip
    server = ServerThread(app, listen("127.0.0.1", 0), "another backend")
    server.start()
    root = f"http://{server.host}:{server.port}"
    try:
        with httpx.Client(base_url=root + settings.api_prefix, timeout=30, verify=False) as http:
            yield Served(app, http, root, log)
    finally:
        server.stop()
        app.state.engine.dispose()


def code_of(answer: httpx.Response) -> str:
    """The error's code, or `ok`."""
    return "ok" if answer.is_success else str(answer.json()["error"]["code"])
