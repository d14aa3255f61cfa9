"""`python -m backend` on its own: a process of its own, with an RPC URL and a database URL."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from solders.transaction import VersionedTransaction
from sqlalchemy import URL, Engine, create_engine, text

from harness.checks.evidence import read_receipts
from harness.database import EmbeddedPostgres
from harness.players.player import Nft, Player
from harness.ports import free_port
from harness.testbed import Testbed

pytestmark = pytest.mark.unjudged  # its books are in a database that the testbed does not know


class Standalone:
    """A process that can be started and stopped, on one port, over one database."""

    def __init__(self, testbed: Testbed, folder: Path, server: EmbeddedPostgres) -> None:
        port = free_port()
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/api/v1"
        self.output = ""
        self._process: subprocess.Popen[str] | None = None
        self._folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.environment = {
            **os.environ,
            "TMPDIR": str(self.scratch),
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
            "RATE_LIMIT_MAX_REQUESTS": "0",
            "REVEAL_LIMIT_MAX_REQUESTS": "0",
        }

    def start(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backend", *arguments], env=self.environment, cwd=self._folder,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(self._process.communicate()[0])
            try:
                httpx.get(self.root + "/health", timeout=5, verify=False)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the backend did not come up in 60 s")

    def end(self) -> None:
        """Nothing outlives a test that failed, workers included."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate(timeout=60)

    def stop(self) -> int:
        """SIGTERM; the exit code once all of it has ended."""
        assert self._process is not None
        self._process.terminate()
        output, _ = self._process.communicate(timeout=60)
        self.output += output
        return self._process.returncode


@pytest.fixture
def standalone(
    testbed: Testbed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Standalone, Engine]]:
    folder = tmp_path_factory.mktemp("standalone")
    with EmbeddedPostgres.start(folder / "log") as server:
        backend = Standalone(testbed, folder, server)
        engine = create_engine(
            URL.create("postgresql+psycopg", "testbed", server._password, "127.0.0.1", server.port,
                       "postgres")
        )  # fmt: skip
        try:
            yield backend, engine
        finally:
            backend.end()
        engine.dispose()
        for secret in told_nowhere(testbed, backend):
            assert secret not in backend.output


def told_nowhere(testbed: Testbed, backend: Standalone) -> list[str]:
    """Keys, passwords, mints, wallets and every signature on the ledger."""
    receipts = read_receipts(testbed.client, [testbed.deployment.treasury,
                                              testbed.authority_key.pubkey()])  # fmt: skip
    assert len(receipts) > 3
    return [
        str(testbed.authority_key),
        str(testbed.treasury_key),
        backend.environment["ADMIN_WALLET_PRIVATE_KEY"],
        backend.environment["DB_PASSWORD"],
        str(testbed.deployment.treasury),
        *(str(player.pubkey) for player in testbed.players),
        *(str(one) for one in testbed.book.named("nft-").values()),
        *(str(receipt.signature) for receipt in receipts),
    ]


def test_a_whole_life_over_http_and_rpc(
    testbed: Testbed, standalone: tuple[Standalone, Engine]
) -> None:
    backend, _ = standalone
    backend.start()
    player = testbed.player()
    nft = player.mint()
    before = testbed.balance_lamports(testbed.deployment.treasury)
    wallet = {"nftMint": str(nft.mint), "walletAddress": str(player.pubkey)}
    with httpx.Client(base_url=backend.url, timeout=30, verify=False) as http:
        revealed = http.post(f"/reveal/{nft.mint}", json={"boxId": "mystery-box"})
        assert revealed.status_code == 200, revealed.text
        assert testbed.metadata(nft).name == revealed.json()["data"]["skinName"]
        issued = http.post("/buyback/request", json=wallet).json()
        unsigned = VersionedTransaction.from_bytes(base64.b64decode(issued["transaction"]))
        signed = base64.b64encode(bytes(player.sign(unsigned))).decode()
        paid = http.post("/buyback/confirm", json={**wallet, "signedTransaction": signed})
        assert paid.status_code == 200, paid.text
        assert "mystery_box_rpc_requests_total" in http.get(backend.root + "/metrics").text
    assert backend.stop() in (0, -15)
    left = testbed.balance_lamports(testbed.deployment.treasury)
    assert before - left == int(issued["buybackAmountLamports"])
    assert not testbed.exists(nft)


def sell(backend: Standalone, player: Player, nft: Nft) -> bool:
    """Reveal and sell as a patient client does; False once the backend is gone or says it can't."""
    wallet = {"nftMint": str(nft.mint), "walletAddress": str(player.pubkey)}
    with httpx.Client(base_url=backend.url, timeout=60, verify=False) as http:
        try:
            revealed = http.post(f"/reveal/{nft.mint}", json={"boxId": "mystery-box"})
            if revealed.status_code != 200:
                return False
            issued = http.post("/buyback/request", json=wallet)
            if issued.status_code == 409 and "ALREADY_BOUGHT_BACK" in issued.text:
                return True
            data = base64.b64decode(issued.json()["transaction"])
            signed = player.sign(VersionedTransaction.from_bytes(data))
            paid = http.post(
                "/buyback/confirm",
                json={**wallet, "signedTransaction": base64.b64encode(bytes(signed)).decode()},
            )
        except httpx.TransportError:
            return False
        return paid.status_code == 200


def test_sigterm_under_load_loses_and_doubles_nothing(
    testbed: Testbed, standalone: tuple[Standalone, Engine]
) -> None:
    """Two processes are told to stop amid sales: four are under way, one of them done, and four
    come when it is too late. A restart goes on and each is paid once."""
    backend, engine = standalone
    player = testbed.player(lamports=10_000_000_000)
    nfts = [player.mint() for _ in range(8)]
    before = testbed.balance_lamports(testbed.deployment.treasury)
    backend.start("serve", "--workers", "2")
    with ThreadPoolExecutor(4) as pool:
        sales = [pool.submit(sell, backend, player, nft) for nft in nfts[:4]]
        next(as_completed(sales))
        assert backend.stop() in (0, -15)
        assert not any(sell(backend, player, nft) for nft in nfts[4:])
        assert any(sale.result() for sale in sales)
    backend.start("serve", "--workers", "2")
    assert all(sell(backend, player, nft) for nft in nfts)
    counted = httpx.get(backend.root + "/metrics", verify=False).text
    assert 'mystery_box_reveals_total{code="",outcome="revealed"} 8.0' in counted, "both workers'"
    assert backend.stop() in (0, -15)
    with engine.connect() as connection:
        paid, audited = (
            [int(amount) for (amount,) in connection.execute(text(query))]
            for query in (
                "select amount_paid * 1000000000 from buyback_records",
                "select amount_lamports from payout_audit",
            )
        )
        reveals = connection.execute(text("select count(*) from user_skins")).scalar_one()
    assert (len(paid), reveals, sorted(audited)) == (len(nfts), len(nfts), sorted(paid))
    assert before - testbed.balance_lamports(testbed.deployment.treasury) == sum(paid)
    assert not any(testbed.exists(nft) for nft in nfts)
    assert '"event": "stopped"' in backend.output
    assert not list(backend.scratch.iterdir()), "counts of the workers are left behind"


def test_a_head_without_end_is_not_kept(standalone: tuple[Standalone, Engine]) -> None:
    """One header of a megabyte, then thousands of small ones; and an ordinary call afterwards."""
    backend, _ = standalone
    backend.start()
    for piece in (b"x" * 1024, b"a: b\r\n" * 171):
        with socket.create_connection(("127.0.0.1", httpx.URL(backend.root).port), 10) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nx: ")
            with suppress(OSError):
                for _ in range(1024):
                    client.sendall(piece)
            with suppress(ConnectionResetError):
                client.settimeout(2)
                assert client.recv(100).startswith(b"HTTP/1.1 400")
    body = {"walletAddress": "1" * 32, "x": "x" * 12_000}
    with httpx.Client(base_url=backend.url, verify=False) as http:
        for _ in range(8):  # on one connection; bodies are no heads
            assert http.post("/auth/challenge", json=body).is_success
    backend.stop()
