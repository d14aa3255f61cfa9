"""A backend that somebody else runs: in another process, behind a URL, in its own words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.keypair import Keypair

from harness.clock import SystemClock
from harness.errors import StartError, UsageError
from harness.faults.rpc_proxy import RpcProxy
from harness.foreign import foreign_backend
from harness.ledger.cluster import ClusterLedger, ClusterSource
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.server import ServerThread, listen
from harness.ledger.mainnet import MAINNET_FLAGS, MAINNET_GENESIS
from harness.players.dialect import read_dialect
from harness.ports import free_port

HARNESS = str(Path(sys.executable).with_name("harness"))
SOL = 10**9

#: The guide's words and those of a backend that has others.
FIELDS = {
    "boxId": "box", "nftMint": "asset", "walletAddress": "owner", "signedTransaction": "signed",
    "skinName": "title", "skinRarity": "grade", "metadataUri": "link", "txSignature": "receipt",
    "skinPrice": "worth", "buybackAmount": "offer", "buybackAmountLamports": "offer_lamports",
    "transaction": "unsigned", "buybackEnable": "open",
}  # fmt: skip
PATHS = {"/reveal/": "/boxes/open/", "/buyback/": "/sales/"}
MAPPING = """
prefix = "/v2"

[paths]
"/reveal/{nftMint}" = "/boxes/open/{nftMint}"
"/buyback/calculate/{nftMint}" = "/sales/calculate/{nftMint}"
"/buyback/request" = "/sales/request"
"/buyback/confirm" = "/sales/confirm"
"/buyback/status" = "/sales/status"

[request]
boxId = "box"
nftMint = "asset"
walletAddress = "owner"
signedTransaction = "signed"

[answer]
skinPrice = "worth"
buybackAmount = "offer"
buybackAmountLamports = "offer_lamports"
transaction = "unsigned"
txSignature = "receipt"

[routes."/reveal/{nftMint}".answer]
skinName = "result.title"
skinRarity = "result.grade"
metadataUri = "result.link"
txSignature = "result.receipt"

[errors]
code = "problem.id"
message = "problem.text"

[codes]
E_NOT_THE_HOLDER = "NOT_THE_HOLDER"
"""


@dataclass(frozen=True)
class Elsewhere:
    """A testbed in another process, as its owner would describe it."""

    backend: str
    ledger: str
    deployment: Path
    settings: Path


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    folder = tmp_path_factory.mktemp("elsewhere")
    settings = folder / "quick.toml"
    settings.write_text("propagation_seconds = 0\n")
    process = subprocess.Popen(
        [HARNESS, "up", "--json", "--wallets", "0"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        facts = json.loads(line)
        deployment = folder / "up.json"
        deployment.write_text(line)
        yield Elsewhere(facts["backend_url"], facts["rpc_url"], deployment, settings)
    finally:
        process.terminate()
        process.wait(30)


def run(
    place: Elsewhere, cwd: Path, *more: str, backend: str = "", suite: str = "flow"
) -> tuple[int, str, str]:
    """`harness run` against the place; exit code, output, errors."""
    done = subprocess.run(
        [HARNESS, "run", suite, "--backend", backend or place.backend, "--ledger", place.ledger,
         "--deployment", str(place.deployment), "--testbed", str(place.settings), *more],
        cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_plays_what_it_can_counts_the_rest_and_gives_back(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    wallet, key = Keypair(), tmp_path / "wallet.json"
    key.write_text(json.dumps(list(bytes(wallet))))
    ledger = ClusterLedger(elsewhere.ledger)
    ledger.fund(wallet.pubkey(), 100 * SOL)
    stories = "life_cycle or sell_or_keep or year or sells_out"
    code, told, progress = run(elsewhere, tmp_path, "-k", stories, "--wallet", str(key))
    assert code == 0, progress
    assert told.startswith("passed: 2 scenarios, 2 skipped, 13 mints, 13 reveals, 7 buybacks")
    assert "skipped: 1, needs virtual clock (a ledger whose time can be moved)" in told
    assert "skipped: 1, needs reference backend" in told
    (summary,) = tmp_path.glob("runs/*/summary.json")
    facts = json.loads(summary.read_text())["run"]
    assert (facts["backend"], facts["database"]) == ("url", "none")
    # Seven players were given 2 SOL each; what is gone is boxes and their rent, not the rest.
    spent = 100 * SOL - ledger.client().get_balance(wallet.pubkey(), Confirmed).value
    assert spent < 13 * SOL // 4


def test_a_backend_started_by_hand(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """A second backend, in a process of its own with tables of its own, started with what `harness
    up` wrote down for it: the whole smoke suite is played against it."""
    folder = Path(json.loads(elsewhere.deployment.read_text())["backend_folder"])
    assert [one.name for one in folder.iterdir()] == [".env"]
    assert (folder.stat().st_mode & 0o777, (folder / ".env").stat().st_mode & 0o777) == (
        0o700, 0o600,
    )  # fmt: skip
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "backend.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend"], cwd=folder, stdout=log, stderr=log,
            env={**os.environ, "PORT": str(port)},
        )  # fmt: skip
    try:
        wait_for(url, process)
        code, told, progress = run(elsewhere, tmp_path, backend=url, suite="smoke")
        assert code == 0, progress
        (summary,) = tmp_path.glob("runs/*/summary.json")
        facts = json.loads(summary.read_text())
        outcomes = Counter(one["outcome"] for one in facts["scenarios"])
        assert outcomes == {"passed": 6, "skipped": 6}, told  # it has no operator's keys
        assert facts["counted"]["buybacks"] >= 5
    finally:
        process.terminate()
        assert process.wait(30) in (0, -15)
    log_text = (tmp_path / "backend.log").read_text()
    assert log_text.count("/buyback/confirm") >= 5, "these players called this backend"
    assert run(elsewhere, tmp_path, backend=url, suite="smoke")[0] == 3, "it is gone"


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url + "/health", timeout=5, verify=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the backend did not come up in 60 s")


POINT_OF_USE = '''
def test_asks_for_tables(testbed):
    """Asks for rows."""
    testbed.books.count("user_skins")

def test_asks_for_keys(testbed):
    """Asks the operator."""
    testbed.operator.pause()

def test_swallows(testbed):
    """Takes a lack for an answer."""
    try:
        testbed.backend.tick()
    except Exception:
        pass

def test_moves_the_market(testbed):
    """Asks for a price."""
    testbed.market.move(sol_usd="100")

def test_waits_long(testbed):
    """Waits on a ledger that stands still."""
    testbed.clock.sleep(3600)

def test_is_wrong(testbed):
    """Expects what is not so."""
    assert testbed.balance_lamports(testbed.deployment.treasury) == 0

def test_is_judged(testbed):
    """The machine sold a box that nobody minted."""
    testbed.items_redeemed_before -= 1

def test_is_right(testbed):
    """Mints."""
    testbed.player().mint()
'''


def test_a_lack_in_the_middle_skips_and_never_passes(elsewhere: Elsewhere, tmp_path: Path) -> None:
    (tmp_path / "test_middle.py").write_text(POINT_OF_USE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rsf", "-p", "no:cacheprovider",
         "-p", "no:pytest_anchorpy", "--backend", elsewhere.backend,
         "--ledger", elsewhere.ledger, "--deployment", str(elsewhere.deployment), "."],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "2 failed, 1 passed, 5 skipped" in done.stdout, done.stdout
    for need in ("database (", "operator (", "reference backend (", "passing time ("):
        assert f"needs {need}" in done.stdout
    assert "mints paid or taxed: the machine says" in done.stdout


def test_a_run_that_could_tell_nothing_has_not_passed(elsewhere: Elsewhere, tmp_path: Path) -> None:
    code, told, _ = run(elsewhere, tmp_path, "-k", "year")
    assert code == 1
    assert told.startswith("FAILED")


# -- another backend's words --------------------------------------------------------------------


def renaming(upstream: str) -> FastAPI:
    """A reverse proxy with other paths, fields and errors than the guide's."""
    app = FastAPI()
    theirs, ours = FIELDS, {theirs: guide for guide, theirs in FIELDS.items()}

    @app.api_route("/v2/{path:path}", methods=["GET", "POST"])
    async def forward(path: str, request: Request) -> Response:
        inner = f"/{path}"
        for guide, renamed in PATHS.items():
            if inner.startswith(guide):
                return Response(status_code=404)
            inner = inner.replace(renamed, guide)
        body = await request.body()
        sent = renamed_in(json.loads(body), ours) if body else None
        async with httpx.AsyncClient(base_url=upstream, verify=False, timeout=30) as http:
            answer = await http.request(request.method, f"/api/v1{inner}", json=sent)
        content = answer.json()
        if answer.is_error:
            error = content["error"]
            told: Any = {"problem": {"id": f"E_{error['code']}", "text": error["message"]}}
        else:
            told = renamed_in(content, theirs)
            if "data" in told:
                told = {"result": told["data"]}
        return Response(json.dumps(told), answer.status_code, media_type="application/json")

    return app


def renamed_in(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {words.get(name, name): renamed_in(inner, words) for name, inner in value.items()}
    return value


def test_other_paths_fields_and_codes(elsewhere: Elsewhere, tmp_path: Path) -> None:
    mapping = tmp_path / "theirs.toml"
    mapping.write_text(MAPPING)
    proxy = ServerThread(renaming(elsewhere.backend), listen("127.0.0.1", 0), "renaming proxy")
    proxy.start()
    url = f"http://127.0.0.1:{proxy.port}"
    try:
        stories = "life_cycle or given_away"  # the second one is refused: NOT_THE_HOLDER
        code, told, progress = run(
            elsewhere, tmp_path, "-k", stories, "--backend-map", str(mapping), backend=url
        )
        assert code == 0, progress
        assert told.startswith("passed: 2 scenarios, 2 mints, 2 reveals, 2 buybacks")
        # Without its phrase book nobody understands it; with a word missing, neither.
        code, _, progress = run(elsewhere, tmp_path, backend=url)
        assert code == 2
        assert "knows no /api/v1/buyback/status" in progress
        mapping.write_text(MAPPING.replace('E_NOT_THE_HOLDER = "NOT_THE_HOLDER"', ""))
        code, _, progress = run(
            elsewhere, tmp_path, "-k", "given_away", "--backend-map", str(mapping), backend=url
        )
        assert code == 1, progress
    finally:
        proxy.stop()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("paths = 3", "theirs.toml: paths: must be a table"),
        ("[path]\n", "theirs.toml: path: unknown; known: prefix, paths"),
        ('[paths]\n"/sell" = "/x"', "paths./sell: unknown; known: /reveal/{nftMint}"),
        ('[paths]\n"/buyback/request" = "x"', "paths./buyback/request: must begin with /"),
        ('[paths]\n"/reveal/{nftMint}" = "/x"', "paths./reveal/{nftMint}: must hold {nftMint}"),
        ('[request]\nbox = "x"', "request.box: unknown; known: boxId"),
        ("[answer]\nskinName = 7", "answer.skinName: must be a text"),
        ('[routes."/x"]\n', "routes./x: unknown"),
        ('prefix = "v2"', "prefix: must be a path"),
        ("= nothing", "theirs.toml: is not TOML"),
    ],
)
def test_a_wrong_mapping_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    mapping = tmp_path / "theirs.toml"
    mapping.write_text(text)
    with pytest.raises(UsageError) as error:
        read_dialect(mapping)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ftp://x", "http://127.0.0.1:1", "F", 1), "--backend: must be reference or an http"),
        (("http://127.0.0.1:99999", "http://127.0.0.1:1", "F", 1), "--backend: must be reference"),
        (("http://127.0.0.1:1", "embedded", "F", 1), "--ledger must be the RPC URL"),
        (("http://127.0.0.1:1", "http://127.0.0.1:1", "", 1), "--deployment FILE must say"),
        (("http://127.0.0.1:1", "http://127.0.0.1:1", "F", 2), "--workers 2"),
        (("http://127.0.0.1:1", "http://127.0.0.1:1", "none", 1), "none: cannot be read"),
        (("reference", "embedded", "F", 1), "--deployment: is for a backend behind a URL"),
    ],
)
def test_options_that_do_not_go_together(
    elsewhere: Elsewhere, arguments: tuple[str, str, str, int], told: str
) -> None:
    url, ledger, file, workers = arguments
    deployment = {"F": elsewhere.deployment, "": None}.get(file, Path(file))
    with pytest.raises(UsageError) as error:
        foreign_backend(url, ledger, deployment, None, workers)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda facts: facts.pop("treasury"), "treasury: is missing"),
        (lambda facts: facts.update(candy_guard="x"), "candy_guard: is no address"),
        (
            lambda facts: facts.update(candy_machine=str(Keypair().pubkey())),
            "candy_machine: no such account on the ledger",
        ),
        (
            lambda facts: facts.update(treasury=str(Keypair().pubkey())),
            "treasury: on the ledger it is",
        ),
        (
            lambda facts: facts.update(buyback_config=facts["candy_machine"]),
            "buyback_config: not a buyback configuration",
        ),
    ],
)
def test_a_wrong_deployment_file_is_told(
    elsewhere: Elsewhere, tmp_path: Path, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    facts = json.loads(elsewhere.deployment.read_text())
    change(facts)
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(facts))

    def check() -> None:
        foreign = foreign_backend(elsewhere.backend, elsewhere.ledger, file, None)
        assert foreign is not None
        foreign.check(ClusterSource(elsewhere.ledger))

    with pytest.raises(UsageError) as error:
        check()
    assert str(error.value).startswith(f"wrong.json: {told}")


def test_exit_codes(elsewhere: Elsewhere, tmp_path: Path) -> None:
    code, _, told = run(elsewhere, tmp_path, backend="http://127.0.0.1:1")
    assert (code, told.count("\n")) == (3, 1), told
    assert "no backend answers at http://127.0.0.1:1" in told
    code, _, told = run(elsewhere, tmp_path, backend=elsewhere.ledger)  # mixed up
    assert (code, told.count("\n")) == (2, 1), told
    assert "answers /api/v1/buyback/status with 405 and no JSON object" in told
    code, _, told = run(elsewhere, tmp_path, "--backend-map", "none.toml")
    assert (code, told.count("\n")) == (2, 1), told
    assert not list(tmp_path.glob("runs/*"))


# -- real money ---------------------------------------------------------------------------------


class MainnetProxy(RpcProxy):
    """A ledger that says it is mainnet-beta."""

    def forward(self, body: bytes) -> bytes:
        answer = super().forward(body)
        if json.loads(body)["method"] == "getGenesisHash":
            return json.dumps({**json.loads(answer), "result": MAINNET_GENESIS}).encode()
        return answer


def test_mainnet_beta_must_be_asked_for_twice() -> None:
    with EmbeddedLedger.start() as ledger, MainnetProxy(ledger.rpc_url) as mainnet:
        for asked in (0, 1):
            with pytest.raises(UsageError) as refusal:
                ClusterSource(mainnet.url, mainnet_asked=asked).visit(SystemClock())
            assert all(flag in str(refusal.value) for flag in MAINNET_FLAGS)
        assert "sendTransaction" not in mainnet.seen
        assert "requestAirdrop" not in mainnet.seen
        with ClusterSource(mainnet.url, mainnet_asked=2).visit(SystemClock()) as visited:
            assert isinstance(visited.client(), Client)


def test_a_ledger_that_is_not_there() -> None:
    with pytest.raises(StartError):
        ClusterSource("http://127.0.0.1:1").visit(SystemClock())
