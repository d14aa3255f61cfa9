"""The configuration that goes live: what a production backend refuses to start with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.faults.price_board import PriceBoard
from harness.players.api import ApiRefusal
from harness.players.configuration import check_configuration, production_environment
from harness.testbed import Testbed

pytestmark = pytest.mark.needs("reference backend")


@pytest.mark.guide(
    "do.paid-rpc", "do.keys-in-vault", "do.environment-secrets", "testing.devnet-first",
    "upgrade.devnet-first",
)  # fmt: skip
def test_a_sound_configuration_is_taken(testbed: Testbed) -> None:
    """The guide's variables with real values: the backend says that they are sound. The same on
    devnet is fine for a rehearsal, and refused for production."""
    sound = production_environment(testbed)
    assert check_configuration(sound) == (0, ["the configuration is sound"])
    devnet = {**sound, "SOLANA_RPC_URL": "https://api.devnet.solana.com"}
    assert check_configuration({**devnet, "NODE_ENV": "development"})[0] == 0
    assert check_configuration(devnet)[0] == 2


_UNSOUND = {
    "weak JWT secret": ("JWT_SECRET", "secret", "dont.weak-jwt"),
    "no JWT secret": ("JWT_SECRET", "", "dont.weak-jwt"),
    "devnet RPC": ("SOLANA_RPC_URL", "https://api.devnet.solana.com", "dont.devnet-rpc"),
    "default RPC": ("SOLANA_RPC_URL", "http://127.0.0.1:8899", "do.paid-rpc"),
    "auth off": ("WALLET_AUTH", "optional", "do.wallet-authentication"),
    "wildcard CORS": ("CORS_ORIGINS", "*", "do.https-only"),
    "localhost CORS": ("CORS_ORIGINS", "http://localhost:3000", "do.https-only"),
    "synchronised schema": ("DB_SYNCHRONIZE", "true", "dont.synchronize"),
    "limits off": ("RATE_LIMIT_MAX_REQUESTS", "0", "do.rate-limits"),
    "a price that never moves": ("PRICE_SOURCES", "static", "do.watch-treasury"),
    "default database password": ("DB_PASSWORD", "postgres", "do.environment-secrets"),
    "no treasury key": ("ADMIN_WALLET_PRIVATE_KEY", "[1,2,3]", "do.keys-in-vault"),
    "weak admin token": ("ADMIN_TOKEN", "admin", "dont.public-admin"),
}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((name, value), id=what, marks=pytest.mark.guide(item))
        for what, (name, value, item) in _UNSOUND.items()
    ],
)
def test_an_unsound_configuration_is_refused(testbed: Testbed, change: tuple[str, str]) -> None:
    """One variable is as it must not be in production: the backend names it, does not show its
    value, and does not start."""
    name, value = change
    code, lines = check_configuration({**production_environment(testbed), name: value})
    assert code == 2
    assert [line for line in lines if line.startswith(f"{name}:")], lines
    if name in ("JWT_SECRET", "DB_PASSWORD") and value:
        assert all(value not in line for line in lines)


@pytest.mark.guide("dont.env-in-git", "do.environment-secrets")
def test_no_environment_file_is_in_the_repository() -> None:
    """No .env file and no key file is under version control or lies where it could be added."""
    root = Path(__file__).parent.parent
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False
    )
    if tracked.returncode != 0:
        pytest.skip("this copy of the project is not a git checkout")
    names = [Path(line).name for line in tracked.stdout.splitlines()]
    assert names
    assert [name for name in names if name.startswith(".env") and name != ".env.example"] == []
    assert [name for name in names if name in ("id.json", "keypair.json")] == []


@pytest.mark.guide("do.watch-treasury", "testing.error-cases")
def test_a_stale_or_failing_oracle_stops_payouts(testbed: Testbed) -> None:
    """The backend asks an exchange. When the exchange falls silent, the last price is good for a
    quarter of an hour; then payouts stop with a clear error, and go on with the next price."""
    sol_usd = str(testbed.market.terms.sol_usd)
    with PriceBoard(sol_usd) as board:
        testbed.backend.restart(
            price_sources="kraken", kraken_url=board.url,
            price_refresh_seconds="300", price_max_age_seconds="900",
        )  # fmt: skip
        testbed.backend.refresh_price()
        player = testbed.player()
        nft = player.mint()
        player.reveal(nft)
        quoted = player.quote(nft).lamports
        board.usd = None
        testbed.clock.sleep(600)
        testbed.backend.refresh_price()
        assert player.quote(nft).lamports == quoted
        testbed.clock.sleep(400)
        testbed.backend.refresh_price()
        with pytest.raises(ApiRefusal) as refusal:
            player.quote(nft)
        assert refusal.value.code == "PRICE_TOO_OLD"
        assert testbed.exists(nft)
        board.usd = sol_usd
        testbed.clock.sleep(60)
        testbed.backend.refresh_price()
        player.sell(nft)
