"""`harness load --host`: against a backend that somebody else runs; what it lacks for a profile is
said before anything is sent."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from solana.rpc.api import Client
from solders.keypair import Keypair

from harness.ledger.cluster import ClusterLedger
from harness.ports import free_port

HARNESS = str(Path(sys.executable).with_name("harness"))
BOXES = 60
PROFILE = """
arrival = "constant"
thresholds = ["errors < 1 %"]

[mix]
reveal = 1
look = 1

[[stages]]
seconds = {seconds}
rate = 3
"""


@dataclass(frozen=True)
class Elsewhere:
    """A testbed in another process with so few boxes, as its owner would describe it."""

    backend: str
    ledger: str
    deployment: Path

    def slot(self) -> int:
        """Grows with each transaction on an embedded ledger that nobody uses otherwise."""
        return int(Client(self.ledger).get_transaction_count().value)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "few.toml").write_text(f"items_available = {BOXES}\n")
    with subprocess.Popen(
        [HARNESS, "up", "--json", "--wallets", "0", "--testbed", "few.toml"], cwd=folder,
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            facts = json.loads(line)
            (folder / "up.json").write_text(line)
            yield Elsewhere(facts["backend_url"], facts["rpc_url"], folder / "up.json")
        finally:
            process.terminate()
            process.wait(30)


def load(
    place: Elsewhere, tmp_path: Path, seconds: int, *more: str, host: str = "", ledger: str = ""
) -> subprocess.CompletedProcess[str]:
    (tmp_path / "mine.toml").write_text(PROFILE.format(seconds=seconds))
    return subprocess.run(
        [HARNESS, "load", "mine.toml", "--host", host or place.backend, "--ledger",
         ledger or place.ledger, "--deployment", str(place.deployment), *more],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_a_backend_that_somebody_runs_is_loaded_and_judged(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    done = load(elsewhere, tmp_path, 3)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("runs/*/load.json")
    found = json.loads(path.read_text())
    assert {row["name"] for row in found["rows"] if row["ok"]} == {"reveal", "look"}
    assert all(one["passed"] for one in found["judgements"])


def test_what_is_missing_is_said_in_one_line_before_anything_is_sent(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    poor, key = Keypair(), tmp_path / "poor.json"
    key.write_text(json.dumps(list(bytes(poor))))
    ClusterLedger(elsewhere.ledger).fund(poor.pubkey(), 10**9)
    nobody = "http://127.0.0.1:1"
    before = elsewhere.slot()
    for done, said in (
        (load(elsewhere, tmp_path, 60), "the profile may need"),
        (load(elsewhere, tmp_path, 3, "--wallet", str(key)), "--wallet: holds 1000000000 lamports"),
        (load(elsewhere, tmp_path, 3, host=nobody), f"no backend answers at {nobody}"),
        (load(elsewhere, tmp_path, 3, ledger=nobody), f"no Solana RPC answers at {nobody}"),
        (load(elsewhere, tmp_path, 3, host=f"{elsewhere.backend}/v9"), "knows no /v9"),
    ):
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stdout + done.stderr
        assert said in done.stderr
    assert elsewhere.slot() == before


ELSEWHERE = """
thresholds = ["errors < 1 %"]

[mix]
status = 2
journey = 1

[[stages]]
seconds = 8
rate = 3
"""


def test_a_worker_in_another_folder_takes_its_share_and_gives_back_what_it_measured(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """The other machine is another folder, reached by the address where the master listens."""
    (tmp_path / "mine.toml").write_text(ELSEWHERE)
    place, errors = f"127.0.0.1:{free_port()}", tmp_path / "errors.txt"
    with errors.open("w") as out, subprocess.Popen(
        [HARNESS, "load", "mine.toml", "--host", elsewhere.backend, "--ledger", elsewhere.ledger,
         "--deployment", str(elsewhere.deployment), "--elsewhere", "1", "--listen", place],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=out, text=True,
    ) as master:  # fmt: skip
        try:
            folder = _announced(errors)
            shutil.copytree(tmp_path / folder, tmp_path / "there" / "lent")
            worker = subprocess.run(
                [HARNESS, "load-worker", "lent", "--master", place], cwd=tmp_path / "there",
                timeout=240, check=False,
            )  # fmt: skip
            said, _ = master.communicate(timeout=120)
        finally:
            master.kill()
    assert (worker.returncode, master.returncode) == (0, 0), said + errors.read_text()
    there = {path.name for path in (tmp_path / "there" / "lent").iterdir()}
    assert "stock.txt" not in there, "it held private keys"
    minted = set((tmp_path / "there" / "lent").glob("minted-*.txt"))
    assert minted, "the worker there played journeys"
    told = (tmp_path / folder / "generators.csv").read_text().splitlines()
    assert len({line.split(",")[1] for line in told}) == 2, "two workers told how busy they were"
    found = json.loads((tmp_path / folder / "load.json").read_text())
    counted = {one["judge"]: one["counted"] for one in found["judgements"]}
    (mints,) = [
        row["ok"] for row in found["rows"] if (row["stage"], row["name"]) == ("all", "mint")
    ]
    assert counted["mints paid or taxed"]["minted"] == mints


def _announced(errors: Path) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for line in errors.read_text().splitlines():
            if line.startswith("copy "):
                return line.split()[1]
        time.sleep(0.2)
    raise TimeoutError(errors.read_text())
