"""Production's rules, readiness, metrics, the audit of payouts, migrations with data, operators."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from solana.rpc.api import Client
from solders.keypair import Keypair
from sqlalchemy import Engine, QueuePool, create_engine, text
from sqlalchemy.exc import DBAPIError

from backend.adapters.database import Database, downgrade, migrate, open_engine
from backend.api.admin import create_admin_app
from backend.domain.errors import DatabaseUnavailable
from backend.production import weak_secret
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.server import ServerThread, listen
from harness.testbed import Testbed
from tests.backend.serving import code_of, serve, settings_of
from tests.backend.test_settings_and_schema import start, url

KEY = Keypair.from_seed(b"k" * 32)
STRONG = "q8Zt1yVw0nKc4rLh7bXe2sDf9gJm3pTa6uYi5oRxWvE="
SOUND = {
    "NODE_ENV": "production",
    "JWT_SECRET": STRONG,
    "DB_PASSWORD": "zK4-vR9_tQ2",
    "SOLANA_RPC_URL": "https://mainnet.example-rpc.com/?api-key=abc",
    "CORS_ORIGINS": "https://boxes.example,https://www.boxes.example",
    "SIGN_IN_DOMAIN": "boxes.example",
    "PRICE_SOURCES": "pyth,coingecko,kraken",
}
__all__ = ["url"]  # a fixture


def told(**changes: str | None) -> list[str]:
    done = start("check", **{**SOUND, **changes})
    assert STRONG not in done.stderr
    assert done.returncode in (0, 2)
    lines = [line.removeprefix("backend: ") for line in done.stderr.splitlines()]
    return [] if done.returncode == 0 else lines


def test_a_sound_production_configuration_is_taken() -> None:
    assert told() == []


def test_production_refuses_everything_at_once_one_line_each() -> None:
    lines = told(
        JWT_SECRET="changeme", CORS_ORIGINS="*,http://localhost:3000", WALLET_AUTH="optional",
        SOLANA_RPC_URL="https://api.devnet.solana.com", DB_SYNCHRONIZE="true", DB_LOGGING="true",
        DB_PASSWORD="postgres", PRICE_SOURCES="pyth,static", SIGN_IN_DOMAIN="localhost",
        RATE_LIMIT_MAX_REQUESTS="0", REVEAL_LIMIT_MAX_REQUESTS="0", ADMIN_TOKEN="admin",
        PORT="99999", LOG_LEVEL="loud", JWT_EXPIRE="soon", TRUSTED_PROXIES="everybody",
        BCRYPT_ROUNDS="2", SOLANA_WS_URL="https://x", API_PREFIX="api",
    )  # fmt: skip
    assert sorted(line.partition(":")[0] for line in lines) == sorted([
        "JWT_SECRET", "CORS_ORIGINS", "WALLET_AUTH", "SOLANA_RPC_URL", "DB_SYNCHRONIZE",
        "DB_LOGGING", "DB_PASSWORD", "PRICE_SOURCES", "SIGN_IN_DOMAIN", "RATE_LIMIT_MAX_REQUESTS",
        "REVEAL_LIMIT_MAX_REQUESTS", "ADMIN_TOKEN", "PORT", "LOG_LEVEL", "JWT_EXPIRE",
        "TRUSTED_PROXIES", "BCRYPT_ROUNDS", "SOLANA_WS_URL", "API_PREFIX",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("jwt_secret", ""),
        ("jwt_secret", "a" * 64),
        ("cors_origins", "https://*.example"),
        ("cors_origins", "http://127.0.0.1:3000"),
        ("solana_rpc_url", "https://api.testnet.solana.com"),
        ("database_url", "postgresql+psycopg://loot:postgres@db/loot"),
        ("database_url", "postgresql+psycopg://loot@db/loot"),
        ("db_password", ""),
    ],
)
def test_each_weak_value_is_refused_by_itself(variable: str, value: str) -> None:
    from backend.settings import Settings

    values: dict[str, Any] = {name.lower(): text_ for name, text_ in SOUND.items()}
    address, key = str(KEY.pubkey()), json.dumps(list(bytes(KEY)))
    values |= {
        "buyback_program_id": address, "collection_mint": address, "candy_machine_id": address,
        "admin_wallet_private_key": key, "admin_private_key": str(KEY),
    }  # fmt: skip
    assert Settings(**values).auth_required
    with pytest.raises(ValidationError) as refused:
        Settings(**{**values, variable: value})
    assert [error["loc"] for error in refused.value.errors()] == [(variable,)]


def test_what_openssl_prints_is_strong() -> None:
    assert not weak_secret(STRONG)
    assert weak_secret(STRONG[:20])


def test_ready_says_which_part_is_away(testbed: Testbed) -> None:
    with serve(testbed) as served:
        assert served.http.get(served.root + "/health").json() == {"status": "ok"}
        ready = served.http.get(served.root + "/ready")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
    nowhere = "postgresql+psycopg://nobody:x@127.0.0.1:1/nothing"
    with serve(
        testbed, database_url=nowhere, price_sources="pyth", rpc=Client("http://127.0.0.1:1")
    ) as served:
        ready = served.http.get(served.root + "/ready")
        assert ready.status_code == 503
        assert ready.json() == {
            "ready": False, "database": "DATABASE_UNAVAILABLE", "rpc": "LEDGER_UNAVAILABLE",
            "price": "PRICE_UNAVAILABLE",
        }  # fmt: skip
        assert code_of(served.http.get("/fairness")) == "DATABASE_UNAVAILABLE"


def test_a_database_that_is_silent_or_used_up_is_unavailable(testbed: Testbed) -> None:
    with socket.socket() as silent:  # takes connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql+psycopg://nobody:x@127.0.0.1:{silent.getsockname()[1]}/nothing"
        with serve(testbed, database_url=url) as served:
            assert served.http.get(served.root + "/ready").json()["database"] == (
                "DATABASE_UNAVAILABLE"
            )
    engine = open_engine(testbed.engine.url.render_as_string(hide_password=False), 1)
    assert isinstance(engine.pool, QueuePool)
    engine.pool._timeout = 0.1
    with ExitStack() as held:
        for _ in range(11):  # the one that is kept and ten more
            held.enter_context(engine.connect())
        with pytest.raises(DatabaseUnavailable):
            Database(engine).rows(text("select 1"))
    engine.dispose()


def test_metrics_count_what_happened_and_name_nobody(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    testbed.clock.sleep(12)
    with serve(testbed, reveal_limit_max_requests=2) as served:
        for box in (testbed.box_id, "golden-box", testbed.box_id):
            served.http.post(f"/reveal/{nft.mint}", json={"boxId": box})
        sale = {"nftMint": str(nft.mint), "walletAddress": str(KEY.pubkey())}
        served.http.post("/buyback/request", json=sale)
        read = served.http.get(served.root + "/metrics").text
    values = {
        name: float(value)
        for name, value in (
            line.rsplit(" ", 1) for line in read.splitlines() if not line.startswith("#")
        )
    }
    expected = {
        'reveals_total{code="",outcome="revealed"}': 1,
        'reveals_total{code="UNKNOWN_BOX",outcome="refused"}': 1,
        'rate_limited_total{limit="reveal"}': 1,
        'buybacks_total{code="NOT_THE_HOLDER",outcome="refused"}': 1,
        'suspicious_refusals_total{code="NOT_THE_HOLDER"}': 1,
        "treasury_lamports": testbed.balance_lamports(testbed.deployment.treasury),
        "treasury_min_lamports": testbed.min_treasury_lamports,
        "buyback_enabled": 1,
        "ready": 1,
        "database_connections_in_use": 0,
        "database_connections_max": 30,
        "suspicious_callers": 0,
    }
    assert {name: values.get(f"mystery_box_{name}") for name in expected} == expected
    route = 'method="POST",route="/buyback/request",status="403"'
    assert values["mystery_box_http_request_seconds_count{" + route + "}"] == 1
    assert str(nft.mint) not in read
    assert str(KEY.pubkey()) not in read


def test_callers_that_meet_many_refusals_are_counted(testbed: Testbed) -> None:
    with serve(testbed, rate_limit_max_requests=1) as served:
        for _ in range(6):
            served.http.get("/fairness")
        read = served.http.get(served.root + "/metrics").text
    assert "mystery_box_suspicious_callers 1.0" in read


def test_429s_of_the_rpc_are_counted(testbed: Testbed) -> None:
    from backend.api.app import _rpc
    from backend.api.metrics import Metrics
    from tests.backend.test_prices import open_market

    assert isinstance(testbed.ledger, EmbeddedLedger)
    metrics = Metrics()
    with open_market(testbed.clock) as (market, base):  # type: ignore[arg-type]  # any clock does
        market.broken["pyth"] = (429, "slow down")
        client = _rpc(settings_of(testbed, solana_rpc_url=base), metrics)
        client._provider.session.get(f"{base}/v2/updates/price/latest?ids[]=x")
    assert b'mystery_box_rpc_requests_total{outcome="rate_limited"} 1.0' in metrics.text({})


def audit(engine: Engine) -> list[tuple[Any, ...]]:
    query = "select kind, nft_mint, wallet, amount_lamports, tx_signature from payout_audit"
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_every_payout_is_audited_and_the_audit_cannot_be_changed(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    quoted = player.quote(nft).lamports
    player.sell(nft)
    ((kind, mint, wallet, lamports, entered),) = audit(testbed.engine)
    assert (kind, mint, wallet, lamports) == ("buyback", str(nft.mint), str(player.pubkey), quoted)
    with testbed.engine.connect() as connection:
        recorded = text("select tx_signature from buyback_records")
        assert entered == connection.execute(recorded).scalar_one()
    for change in (
        "update payout_audit set amount_lamports = 1",
        "delete from payout_audit",
        "truncate payout_audit",
    ):
        with pytest.raises(DBAPIError, match="append-only"), testbed.engine.begin() as connection:
            connection.execute(text(change))
    assert len(audit(testbed.engine)) == 1


def test_the_second_schema_keeps_what_was_paid_before(url: str) -> None:
    """Up with a buyback and a refund that were paid, down again, and up once more."""
    migrate(url, "0001")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(
            "insert into buyback_records (nft_mint, user_wallet, amount_paid, tx_signature,"
            " created_at) values ('m1', 'w', 0.053125, 's1', '2026-01-01');"
            "insert into obligations (kind, nft_mint, wallet, amount_lamports, state, created_at,"
            " tx_signature, settled_at) values"
            " ('reveal', 'm2', 'w', 7, 'paid', '2026-01-01', 's2', '2026-01-02'),"
            " ('reveal', 'm3', 'w', 8, 'paying', '2026-01-01', 's3', null)"
        ))  # fmt: skip
    paid = [("buyback", "m1", "w", 53_125_000, "s1"), ("reveal", "m2", "w", 7, "s2")]
    migrate(url)
    assert audit(engine) == paid
    with engine.begin() as connection:
        connection.execute(text(
            "update obligations set state = 'paid', settled_at = now() where nft_mint = 'm3'"
        ))  # fmt: skip
    paid.append(("reveal", "m3", "w", 8, "s3"))
    assert audit(engine) == paid
    downgrade(url, "0001")
    migrate(url)
    assert audit(engine) == paid
    engine.dispose()


def test_the_third_schema_holds_back_refunds_on_their_way(url: str) -> None:
    """Signed before it, they were held back by nobody; what is only approved still is not."""
    migrate(url, "0002")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(
            "insert into treasury_books values ('t', 100, 7);"
            "insert into obligations (kind, nft_mint, amount_lamports, state, created_at) values"
            " ('reveal', 'm1', 20, 'paying', now()), ('reveal', 'm2', 40, 'approved', now())"
        ))  # fmt: skip

    def reserved() -> int:
        with engine.connect() as connection:
            read = text("select reserved_lamports from treasury_books")
            return int(connection.execute(read).scalar_one())

    migrate(url)
    assert reserved() == 5120
    downgrade(url, "0002")
    assert reserved() == 100
    engine.dispose()


def test_operators_routes_are_apart_and_want_the_token(testbed: Testbed) -> None:
    with pytest.raises(ValueError, match="ADMIN_TOKEN"):
        create_admin_app(settings_of(testbed))
    with testbed.engine.begin() as connection:
        connection.execute(text(
            "insert into obligations (kind, nft_mint, wallet, amount_lamports, state, created_at)"
            " values ('reveal', 'm', 'w', 7, 'open', '2026-01-01')"
        ))  # fmt: skip
    server = ServerThread(
        create_admin_app(settings_of(testbed, admin_token=STRONG)), listen("127.0.0.1", 0), "admin"
    )
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", verify=False) as admin:
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": f"Basic {STRONG}"}):
            assert admin.get("/obligations", headers=headers).status_code == 401
        admin.headers["authorization"] = f"Bearer {STRONG}"
        (owed,) = admin.get("/obligations").json()
        assert (owed["amount_lamports"], owed["state"]) == (7, "open")
        decision = admin.post(f"/obligations/{owed['id']}", json={"state": "waived"})
        assert decision.json() == {"success": True}
        assert admin.get("/obligations").json()[0]["state"] == "waived"
        again = admin.post(f"/obligations/{owed['id']}", json={"state": "approved"})
        assert again.status_code == 404
        first = admin.post("/fairness/rotate").json()
        second = admin.post("/fairness/rotate").json()
        assert first["disclosedSeed"] is None
        assert len(second["disclosedSeed"]) == 64
        assert admin.get("/payouts").json() == []
    server.stop()
    with serve(testbed) as served:
        assert served.http.get("/fairness").json() == {"commitment": second["commitment"]}
        for path in ("/obligations", "/api/v1/obligations", "/payouts"):
            assert served.http.get(served.root + path).status_code == 404
