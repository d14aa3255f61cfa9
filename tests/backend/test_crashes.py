"""kill -9 between any two I/O operations of reveal, request and confirm.

A first run writes down which operations there are. Then, for each, a backend process of its own
does the same on a new NFT and is killed with SIGKILL just before it. Afterwards either the client
asks again, or only the worker comes round; both end with one reveal, one payment, one record. The
ledger is real and reached over HTTP, the database is a real Postgres, and the judges look at both
when it is over.
"""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.transaction import VersionedTransaction
from sqlalchemy import text

from harness.players.player import Nft, Player
from harness.testbed import Testbed

KILLED = {"killed": signal.SIGKILL}
_REQUEST_LEASE_SECONDS = 61
_BLOCKHASH_SECONDS = 70


class Backends:
    """Backend processes on the testbed's ledger and database."""

    def __init__(self, testbed: Testbed, process: subprocess.Popen[str], **changes: Any) -> None:
        self.testbed = testbed
        self._process = process
        self._settings = {
            "node_env": "test",
            "database_url": testbed.engine.url.render_as_string(hide_password=False),
            "solana_rpc_url": testbed.ledger.rpc_url,
            "buyback_program_id": str(testbed.deployment.buyback_program),
            "collection_mint": str(testbed.deployment.collection_mint),
            "candy_machine_id": str(testbed.deployment.candy_machine),
            "admin_wallet_private_key": json.dumps(list(bytes(testbed.treasury_key))),
            "admin_private_key": str(testbed.authority_key),
            "placeholder_uri": testbed.config.hidden.uri,
            **changes,
        }

    def side_by_side(self, *commands: dict[str, Any]) -> list[Any]:
        """Run commands in a process each, all at once."""
        now = self.testbed.clock.now().isoformat()
        common = {"settings": self._settings, "now": now}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([{**common, **one} for one in commands]) + "\n")
        self._process.stdin.flush()
        return list(json.loads(self._process.stdout.readline()))

    def run(self, do: str, nft: Nft, die_before: int | None = None, **more: Any) -> Any:
        command = {"do": do, "mint": str(nft.mint), "die_before": die_before, **more}
        return self.side_by_side(command)[0]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.testbed.engine.begin() as connection:
            result = connection.execute(text(query))
            return [tuple(row) for row in result.all()] if result.returns_rows else []


@pytest.fixture
def zygote() -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("zygote.py")
    process = subprocess.Popen(
        [sys.executable, str(script)], cwd=Path(__file__).parents[2], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    yield process
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=20) == 0


def walk(backends: Backends, steps: list[str]) -> Iterator[int]:
    """The points to die at: before each operation, and before the answer."""
    assert steps[-1] == "answer"
    yield from range(1, len(steps) + 1)


def revealed_once(backends: Backends, nft: Nft) -> None:
    where = f"from reveals where nft_mint = '{nft.mint}'"
    assert backends.rows(f"select state, next_try_at {where}") == [("revealed", None)]
    skin = f"from user_skins where nft_mint_address = '{nft.mint}'"
    assert backends.rows(f"select count(*) {skin}") == [(1,)]
    assert backends.testbed.metadata(nft).uri == backends.rows(f"select metadata_uri {where}")[0][0]


@pytest.mark.parametrize(
    ("changes", "least"),
    [({}, 8), ({"provably_fair": True}, 12)],
    ids=["plain", "provably fair and limited"],
)
@pytest.mark.testbed(player_lamports=20 * 10**9)
def test_reveals_survive_death_at_every_point(
    testbed: Testbed, zygote: subprocess.Popen[str], changes: dict[str, Any], least: int
) -> None:
    backends, player = Backends(testbed, zygote, **changes), testbed.player()
    if changes:
        backends.rows("update skin_templates set stock = 100")
        seed = "insert into server_seeds (commitment, seed, created_at) values ('c', 's', now())"
        backends.rows(seed)
    nft = player.mint()
    steps = backends.run("reveal", nft)["steps"]
    assert len(steps) >= least, steps
    mints = 1
    for point in walk(backends, steps):
        for asked_again in (True, False):
            nft = player.mint()
            mints += 1
            assert backends.run("reveal", nft, die_before=point) == KILLED, steps[point - 1]
            known = backends.rows(f"select * from reveals where nft_mint = '{nft.mint}'") != []
            if asked_again or not known:
                assert "result" in backends.run("reveal", nft), steps[point - 1]
            else:
                testbed.clock.sleep(_REQUEST_LEASE_SECONDS)
                assert "result" in backends.run("tick", nft)
            revealed_once(backends, nft)
    assert backends.rows("select count(*), count(distinct nft_mint) from reveals") == [
        (mints, mints)
    ]
    if changes:  # nothing was taken twice, nothing left out
        assert backends.rows("select 100 * count(*) - sum(stock) from skin_templates") == [(mints,)]
        nonces = backends.rows("select nonce from reveals order by nonce")
        assert nonces == [(n,) for n in range(mints)]


@pytest.mark.parametrize("order", ["treasury-first", "user-first"])
@pytest.mark.testbed(player_lamports=20 * 10**9)
def test_buybacks_survive_death_at_every_point(
    testbed: Testbed, zygote: subprocess.Popen[str], order: str
) -> None:
    backends, player = Backends(testbed, zygote, signing_order=order), testbed.player()
    asked = _Sale(backends, player)
    steps = asked.request()["steps"]
    assert len(steps) >= 5, steps
    for point in walk(backends, steps):
        sale = _Sale(backends, player)
        assert sale.request(die_before=point) == KILLED
        sale.sign(sale.request()["result"])
        assert "result" in sale.confirm()
        sale.paid_once()
    asked.sign(asked.request()["result"])
    steps = asked.confirm()["steps"]
    assert len(steps) >= 6, steps
    for point in walk(backends, steps):
        for asked_again in (True, False):
            sale = _Sale(backends, player)
            sale.sign(sale.request()["result"])
            assert sale.confirm(die_before=point) == KILLED, steps[point - 1]
            if asked_again:
                assert "result" in sale.confirm(), steps[point - 1]
            else:
                testbed.clock.sleep(_BLOCKHASH_SECONDS)
                assert "result" in backends.run("tick", sale.nft)
                if testbed.exists(sale.nft):  # nothing was sent: dead, and sold anew
                    assert sale.states() == ["dead"]
                    sale.sign(sale.request()["result"])
                    assert "result" in sale.confirm()
            sale.paid_once()


@pytest.mark.testbed(player_lamports=20 * 10**9)
def test_recovery_survives_death_at_every_point(
    testbed: Testbed, zygote: subprocess.Popen[str]
) -> None:
    """Killed between the draw and its broadcast, and between payment and record; then whoever
    recovers that is killed before each operation of its own, and the next one ends it."""
    backends, player = Backends(testbed, zygote), testbed.player()
    steps = backends.run("reveal", player.mint())["steps"]
    before_sending = next(n for n, step in enumerate(steps, 1) if "SendRaw" in step)

    def drawn() -> Nft:
        nft = player.mint()
        assert backends.run("reveal", nft, die_before=before_sending) == KILLED
        return nft

    def sold() -> _Sale:
        sale = _Sale(backends, player)
        sale.sign(sale.request()["result"])
        assert sale.confirm(die_before=after_sending) == KILLED
        return sale

    again = backends.run("reveal", drawn())["steps"]
    assert len(again) >= 4, again
    for point in walk(backends, again):
        nft = drawn()
        assert backends.run("reveal", nft, die_before=point) == KILLED, again[point - 1]
        assert "result" in backends.run("reveal", nft), again[point - 1]
        revealed_once(backends, nft)
    sale = _Sale(backends, player)
    sale.sign(sale.request()["result"])
    steps = sale.confirm()["steps"]
    after_sending = next(n for n, step in enumerate(steps, 2) if "SendRaw" in step)
    sale = sold()
    testbed.clock.sleep(_BLOCKHASH_SECONDS)
    again = backends.run("tick", sale.nft)["steps"]
    sale.paid_once()
    assert len(again) >= 5, again
    for point in walk(backends, again):
        sale = sold()
        assert testbed.exists(sale.nft) is False
        testbed.clock.sleep(_BLOCKHASH_SECONDS)
        assert backends.run("tick", sale.nft, die_before=point) == KILLED, again[point - 1]
        testbed.clock.sleep(_BLOCKHASH_SECONDS)  # the lease of the one that died
        assert "result" in backends.run("tick", sale.nft), again[point - 1]
        sale.paid_once()


class _Sale:
    """One NFT, revealed, on its way back."""

    def __init__(self, backends: Backends, player: Player) -> None:
        self.backends, self.player, self.bed = backends, player, backends.testbed
        self.nft = player.mint()
        player.reveal(self.nft, wait=False)
        self.before = self.bed.balance_lamports(self.bed.deployment.treasury)
        self.signed = ""

    def request(self, die_before: int | None = None) -> Any:
        wallet = str(self.player.pubkey)
        return self.backends.run("request", self.nft, die_before, wallet=wallet)

    def sign(self, issued: str) -> None:
        transaction = self.player.sign(VersionedTransaction.from_bytes(base64.b64decode(issued)))
        self.signed = base64.b64encode(bytes(transaction)).decode()

    def command(self, die_before: int | None = None) -> dict[str, Any]:
        return {
            "do": "confirm",
            "mint": str(self.nft.mint),
            "wallet": str(self.player.pubkey),
            "signed": self.signed,
            "die_before": die_before,
        }

    def confirm(self, die_before: int | None = None) -> Any:
        return self.backends.side_by_side(self.command(die_before))[0]

    def states(self) -> list[str]:
        query = f"select state from buyback_quotes where nft_mint = '{self.nft.mint}' order by id"
        return [row[0] for row in self.backends.rows(query)]

    def paid_once(self) -> None:
        records = self.backends.rows(
            "select amount_paid * 1000000000 from buyback_records"
            f" where nft_mint = '{self.nft.mint}'"
        )
        left = self.bed.balance_lamports(self.bed.deployment.treasury)
        assert [int(row[0]) for row in records] == [self.before - left]
        assert not self.bed.exists(self.nft)
        assert self.states().count("paid") == 1
        assert self.backends.rows(
            "select reserved_lamports - (select coalesce(sum(amount_lamports), 0)"
            " from buyback_quotes where state in ('open', 'signed')) from treasury_books"
        ) == [(0,)]


@pytest.mark.testbed(player_lamports=20 * 10**9)
def test_several_processes_at_once_do_everything_once(
    testbed: Testbed, zygote: subprocess.Popen[str]
) -> None:
    """Four processes reveal the same NFT, four confirm the same sale, three workers come round."""
    backends, player = Backends(testbed, zygote), testbed.player()
    for _ in range(3):
        nft = player.mint()
        reveal = {"do": "reveal", "mint": str(nft.mint)}
        answers = backends.side_by_side(*[reveal] * 4)
        assert len({json.dumps(one["result"]) for one in answers}) == 1
        revealed_once(backends, nft)
        sale = _Sale(backends, player)
        wallet = str(player.pubkey)
        ask = {"do": "request", "mint": str(sale.nft.mint), "wallet": wallet}
        issued = backends.side_by_side(*[ask] * 4)
        assert len({one["result"] for one in issued}) == 1
        sale.sign(issued[0]["result"])
        paid = backends.side_by_side(
            *[sale.command()] * 4, *[{"do": "tick", "mint": str(sale.nft.mint)}] * 3
        )
        assert all("result" in one for one in paid), paid
        sale.paid_once()
