"""`python -m backend` on its own: a process of its own, with an RPC URL and a database URL."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from solders.transaction import VersionedTransaction

from harness.database import EmbeddedPostgres
from harness.testbed import Testbed

pytestmark = pytest.mark.unjudged  # its books are in a database that the testbed does not know


@pytest.fixture
def backend_url(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    folder = tmp_path_factory.mktemp("standalone")
    with EmbeddedPostgres.start(folder / "log") as server:
        environment = {
            **os.environ,
            "NODE_ENV": "test",
            "PORT": str(port),
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(server.port),
            "DB_USERNAME": "testbed",
            "DB_PASSWORD": server._password,
            "DB_DATABASE": "postgres",
            "SOLANA_RPC_URL": testbed.ledger.rpc_url,
            "BUYBACK_PROGRAM_ID": str(testbed.deployment.buyback_program),
            "COLLECTION_MINT": str(testbed.deployment.collection_mint),
            "CANDY_MACHINE_ID": str(testbed.deployment.candy_machine),
            "ADMIN_WALLET_PRIVATE_KEY": json.dumps(list(bytes(testbed.treasury_key))),
            "ADMIN_PRIVATE_KEY": str(testbed.authority_key),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "backend"], env=environment, cwd=folder,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}/api/v1"
        try:
            _wait_for(url, process)
            yield url
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=20)
        assert process.returncode in (0, -15)
        assert str(testbed.authority_key) not in output
        assert str(testbed.deployment.treasury) not in output


def _wait_for(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout and process.stdout.read()
        try:
            httpx.get(url + "/buyback/status", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the backend did not come up in 30 s")


def test_a_whole_life_over_http_and_rpc(testbed: Testbed, backend_url: str) -> None:
    player = testbed.player()
    nft = player.mint()
    before = testbed.balance_lamports(testbed.deployment.treasury)
    wallet = {"nftMint": str(nft.mint), "walletAddress": str(player.pubkey)}
    with httpx.Client(base_url=backend_url, timeout=30, verify=False) as http:
        revealed = http.post(f"/reveal/{nft.mint}", json={"boxId": "mystery-box"})
        assert revealed.status_code == 200, revealed.text
        assert testbed.metadata(nft).name == revealed.json()["data"]["skinName"]
        issued = http.post("/buyback/request", json=wallet).json()
        unsigned = VersionedTransaction.from_bytes(base64.b64decode(issued["transaction"]))
        signed = base64.b64encode(bytes(player.sign(unsigned))).decode()
        paid = http.post("/buyback/confirm", json={**wallet, "signedTransaction": signed})
        assert paid.status_code == 200, paid.text
    left = testbed.balance_lamports(testbed.deployment.treasury)
    assert before - left == int(issued["buybackAmountLamports"])
    assert not testbed.exists(nft)
