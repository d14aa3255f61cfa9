"""Configuration from the guide's variables; migrations up and down; a catalogue that adds up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from solders.keypair import Keypair
from sqlalchemy import create_engine, inspect, text

from backend.adapters.catalogue import catalogue, seed_catalogue
from backend.adapters.database import Database, downgrade, migrate, open_engine
from backend.domain.rarity import GUIDE_ODDS
from backend.settings import Settings
from harness.database import EmbeddedPostgres
from harness.ports import free_port

KEY = Keypair.from_seed(b"k" * 32)
ADDRESS = str(KEY.pubkey())
ENVIRONMENT = {
    "BUYBACK_PROGRAM_ID": ADDRESS,
    "COLLECTION_MINT": ADDRESS,
    "CANDY_MACHINE_ID": ADDRESS,
    "ADMIN_WALLET_PRIVATE_KEY": json.dumps(list(bytes(KEY))),
    "ADMIN_PRIVATE_KEY": str(KEY),
    "DB_PORT": "1",
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with EmbeddedPostgres.start(tmp_path / "log") as server:
        yield server.create_database("schema")


def test_migrations_up_and_down_leave_nothing(url: str) -> None:
    migrate(url)
    engine = create_engine(url)
    tables = set(inspect(engine).get_table_names())
    assert {"skin_templates", "user_skins", "buyback_records", "reveals"} <= tables
    migrate(url)  # again is nothing
    downgrade(url)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()


def test_the_catalogue_is_seeded_once(url: str) -> None:
    migrate(url)
    assert seed_catalogue(url) == 25
    assert seed_catalogue(url) == 0


def test_the_house_has_an_edge_at_the_guides_prices() -> None:
    skins = catalogue()
    assert all(len(skin.title.encode()) <= 32 for skin in skins), (
        "a name on the ledger has 32 bytes"
    )
    expected = Decimal(0)
    for tier, share in GUIDE_ODDS.tiers:
        prices = [skin.base_price_usd for skin in skins if skin.rarity == tier]
        assert len(prices) >= 4
        expected += share * sum(prices) / len(prices)
    mint_usd = Decimal("0.2") * 200
    assert round(expected, 2) == Decimal("44.32")
    assert expected * Decimal("0.85") < mint_usd


def begin(*command: str, **changes: str | None) -> subprocess.Popen[str]:
    environment = {**os.environ, **ENVIRONMENT, **changes}
    return subprocess.Popen(
        [sys.executable, "-m", "backend", *command],
        env={name: value for name, value in environment.items() if value is not None},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def start(*command: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    process = begin(*command, **changes)
    out, error = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"BUYBACK_PROGRAM_ID": None}, "BUYBACK_PROGRAM_ID: Field required"),
        ({"COLLECTION_MINT": "x"}, "COLLECTION_MINT: "),
        ({"BUYBACK_RATE": "1.2"}, "BUYBACK_RATE: Input should be less than or equal to 1"),
        ({"ADMIN_WALLET_PRIVATE_KEY": "[1,2,3]"}, "array of 64 numbers"),
        ({"ADMIN_PRIVATE_KEY": "abc"}, "must be a private key in base58"),
        ({"PORT": "99999"}, "PORT: "),
        ({"DATABASE_URL": "loot"}, "DATABASE_URL: must be a URL such as postgresql://"),
        ({"DATABASE_URL": "mysql://u:p@127.0.0.1/loot"}, "DATABASE_URL: must be a URL such as"),
        ({"DATABASE_URL": "postgres://u:p@127.0.0.1:first/loot"}, "DATABASE_URL: must be a URL"),
        ({"DATABASE_URL": "postgres://u:p@127.0.0.1"}, "DATABASE_URL: must be a URL such as"),
    ],
)
def test_wrong_variables_are_named(changes: dict[str, str | None], told: str) -> None:
    done = start(**changes)
    assert done.returncode == 2
    assert told in done.stderr
    assert str(KEY) not in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_host_says_of_workers_does_not_reach_the_operators_routes() -> None:
    """Heroku and the like set WEB_CONCURRENCY, which uvicorn heeds unless it is told otherwise."""
    port = free_port()
    admin = begin("admin", ADMIN_TOKEN="t" * 20, ADMIN_PORT=str(port), WEB_CONCURRENCY="4")
    try:
        for _ in range(200):
            try:
                assert httpx.get(f"http://127.0.0.1:{port}/payouts").status_code == 401
                return
            except httpx.TransportError:
                assert admin.poll() is None, admin.communicate()[0]
                time.sleep(0.1)
        raise AssertionError("the operators' routes did not come up in 20 s")
    finally:
        admin.terminate()
        admin.communicate(timeout=30)


def test_keys_in_the_rpc_url_are_known_secrets() -> None:
    settings = Settings.model_validate({
        **{name.lower(): value for name, value in ENVIRONMENT.items()},
        "solana_rpc_url": "https://name.example/0123456789abcdef0123456789abcdef01234567/",
        "solana_ws_url": "wss://name.example/v2/short?api-key=0123456789",
    })  # fmt: skip
    known = settings.secret_texts()
    assert "0123456789abcdef0123456789abcdef01234567" in known
    assert "api-key=0123456789" in known
    assert "v2/short" not in known


@pytest.mark.parametrize("changes", [{}, {"DATABASE_URL": "postgres://u:hidden@127.0.0.1:1/x"}])
def test_without_a_database_it_says_so(changes: dict[str, str]) -> None:
    done = start(**changes)
    assert done.returncode == 3
    assert re.fullmatch(
        r'backend: no database: .*"127\.0\.0\.1", port 1 failed: .*; see DATABASE_URL, .*\n',
        done.stderr,
    )
    assert "hidden" not in done.stderr


def test_a_database_that_lets_nobody_in_says_why(url: str) -> None:
    done = start("migrate", DATABASE_URL=url.replace("/schema", "/another"))
    assert done.returncode == 3
    assert 'database "another" does not exist' in done.stderr


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_the_scheme_is_taken(url: str, scheme: str) -> None:
    place = url.partition("://")[2]
    done = start("migrate", DATABASE_URL=f"{scheme}://{place}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("pooled", [False, True])
def test_behind_a_pooler_nothing_is_prepared(url: str, pooled: bool) -> None:
    """A pooler of transactions gives each to another connection: prepared statements are lost, or
    met twice. Without the pooler they are used, so that this can see them."""
    engine = open_engine(f"{url}{'&' if '?' in url else '?'}pgbouncer=true" if pooled else url, 1)
    database = Database(engine)
    for _ in range(12):
        database.rows(text("select cast(:n as integer) as n"), n=1)
    seen = database.rows(text("select count(*) as most from pg_prepared_statements"))[0].most
    engine.dispose()
    assert (seen == 0) == pooled
