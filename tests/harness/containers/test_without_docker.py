"""What a person reads where there is no Docker, and what options refuse before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.database.sources import check_database
from harness.errors import UsageError
from harness.ledger.cluster import place, read_key, websocket_url
from harness.ledger.sources import ledger_source
from harness.plugin import places
from harness.redis.place import check_redis

_NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def _harness(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "options",
    [
        ("run", "smoke", "-k", "one_life", "--ledger", "validator"),
        ("run", "smoke", "-k", "one_life", "--database", "container"),
        ("run", "smoke", "-k", "one_life", "--redis", "container"),
        ("parity", "--rpc-only"),
    ],
)
def test_a_missing_engine_is_said_in_one_line(options: tuple[str, ...], tmp_path: Path) -> None:
    done = _harness(*options, "--runs", str(tmp_path / "runs"), **_NOWHERE)
    assert done.returncode == 3
    said = [line for line in done.stderr.splitlines() if line.startswith("harness:")]
    assert len(said) == 1
    assert "no Docker engine answers" in said[0]
    assert "--ledger embedded" in said[0]
    assert "Traceback" not in done.stderr


def test_readiness_says_why_not() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness.containers.ready"],
        env={**os.environ, **_NOWHERE},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout.startswith("docker suites: SKIPPED: no Docker engine answers")


@pytest.mark.parametrize("written", ["validatr", "validator=", "ftp://127.0.0.1", ""])
def test_a_wrong_ledger_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="--ledger"):
        ledger_source(written)


@pytest.mark.parametrize("written", ["embeded", "container=", ""])
def test_a_wrong_database_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="--database"):
        check_database(written)


@pytest.mark.parametrize("written", ["memory", "http://127.0.0.1:6379", "redis://", "redis://h:x"])
def test_a_wrong_redis_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="--redis"):
        check_redis(written)


def test_kinds_follow_from_what_is_written() -> None:
    written = ("embedded", "validator", "validator=some/image:1", "http://127.0.0.1:8899")
    assert [ledger_source(one).kind for one in written] == [
        "embedded",
        "validator",
        "validator",
        "cluster",
    ]


def test_a_wallet_is_for_a_ledger_behind_a_url(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--wallet"):
        ledger_source("embedded", tmp_path / "key.json")


def test_a_file_that_is_no_key_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text("[1, 2, 333]")
    with pytest.raises(UsageError) as refused:
        read_key(path)
    assert "333" not in str(refused.value)


def test_a_distant_ledger_needs_a_key() -> None:
    source = ledger_source("https://api.example.org/?api-key=secret")
    with pytest.raises(UsageError, match="--wallet") as refused:
        source.authority(_seed())
    assert "secret" not in str(refused.value)


def _seed():
    from harness.seeds import Seed

    return Seed("1")


def test_urls_are_told_without_what_is_secret_in_them() -> None:
    assert place("https://user:pass@rpc.example.org:8443/path?api-key=1") == (
        "https://rpc.example.org:8443"
    )
    assert places("https://rpc.example.org/?api-key=1", "postgresql://u:p@h/d") == [
        "--ledger", "SOLANA_RPC_URL", "--database", "DATABASE_URL",
    ]  # fmt: skip
    assert places("embedded", "embedded") == []
    assert places("embedded", "embedded", "reference", "redis://:p@h") == ["--redis", "REDIS_URL"]
    assert places("embedded", "embedded", "reference", "container") == ["--redis", "container"]


def test_websockets_are_on_the_next_port_or_in_the_same_place() -> None:
    assert websocket_url("http://127.0.0.1:8899") == "ws://127.0.0.1:8900"
    assert websocket_url("https://rpc.example.org/k?api-key=1") == (
        "wss://rpc.example.org/k?api-key=1"
    )
