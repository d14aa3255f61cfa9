"""A Postgres server of this process's own: up in a moment, gone with it.

It listens on a free port of 127.0.0.1 only, runs without fsync (its data is thrown away), and is
stopped when the process that started it ends, however it ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import psycopg
from psycopg import sql

from harness.database import statements
from harness.database.binaries import Binaries, find_binaries
from harness.database.place import data_parent, data_parent_on_disk
from harness.database.sweep import PREFIX, hold, sweep
from harness.database.template import SUPERUSER, Template, copy_template, template
from harness.errors import StartError
from harness.ports import free_port

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_START_SECONDS_MAX = 30.0
_STOP_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.01
_PORTS_TRIED_MAX = 5
_LOG_LINES = 12
_STATUS_LINE = 8  # of postmaster.pid

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",  # the data may be in memory
    "dynamic_shared_memory_type": "mmap",  # in the data folder, so that it goes with it
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

# Said to every client of ours, so that PGHOSTADDR, PGSSLMODE, PGOPTIONS and the like, set for
# another server, neither lead it there nor keep it from this one nor change how this one answers.
_CLIENT = {
    "hostaddr": "127.0.0.1",
    "sslmode": "disable",
    "gssencmode": "disable",
    "options": "--timezone=UTC",  # as the server has it anyway
}


class _PortTaken(Exception):
    """Somebody else was faster; its text is the log's last lines."""


class EmbeddedPostgres:
    """A running server. Use as a context manager; make it with `start`."""

    kind = "embedded"

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, password: str, data: Path, log: Path
    ) -> None:
        self._process = process
        self._password = password
        self.port = port
        self.data = data
        self.log = log

    @classmethod
    def start(cls, log: Path) -> EmbeddedPostgres:
        """Start a server that logs to `log`.

        Raises StartError with the log's last lines if it does not come up.
        """
        lines: list[str] = []
        try:
            binaries = find_binaries()
            parent = data_parent(binaries.cache)
            for folder in {parent, data_parent_on_disk(binaries.cache), binaries.cache}:
                sweep(folder)
            source = template(binaries)
            for _ in range(_PORTS_TRIED_MAX):
                try:
                    return cls._start(binaries, source, parent, free_port(), log)
                except _PortTaken as taken:
                    lines = str(taken).splitlines()
        except OSError as error:  # no room, no right to write, a program for another machine
            where = f" ({error.filename})" if error.filename else ""
            raise StartError(f"embedded Postgres: {error.strerror or error}{where}") from error
        raise StartError(f"embedded Postgres found no free port in {_PORTS_TRIED_MAX} tries", lines)

    @classmethod
    def _start(
        cls, binaries: Binaries, source: Template, parent: Path, port: int, log: Path
    ) -> EmbeddedPostgres:
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        try:
            lock = hold(home)
            try:
                if binaries.owner.uid is not None:
                    home.chmod(0o711)
                copy_template(source, home / "data")
                process = _supervise(binaries, home, lock, port, log)
            finally:
                os.close(lock)  # from here on the supervisor and the server hold it
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise
        server = cls(process, port, source.password, home / "data", log)
        try:
            server._wait_until_ready(binaries.version)
        except BaseException:
            server.close()
            raise
        return server

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy's URL of a database. Holds the password: not for logs."""
        user = f"{SUPERUSER}:{self._password}"
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}?{urlencode(_CLIENT)}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given; returns its URL."""
        with self._connect() as connection:
            version = connection.info.server_version
            connection.execute(statements.create_database(name, template, version))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and cut off whoever is connected to it."""
        with self._connect() as connection:
            connection.execute(statements.drop_database(name))

    def close(self) -> None:
        """Stop the server and remove its data. Safe to call twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _connect(self) -> psycopg.Connection:
        url = self.url().replace("+psycopg", "", 1)
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def _wait_until_ready(self, version: str) -> None:
        deadline = time.monotonic() + _START_SECONDS_MAX
        refusal = "it did not say that it accepts connections"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                lines = self._log_lines()
                if any("could not bind" in line for line in lines):
                    raise _PortTaken("\n".join(lines))
                raise StartError("embedded Postgres ended while starting", lines)
            try:
                # Not earlier: whoever else has the port might let us wait for an answer.
                if self._says_ready():
                    with self._connect() as connection:
                        self._assert_ours(connection, version)
                    return
            except psycopg.OperationalError as error:
                refusal = " ".join(str(error).split())
            time.sleep(_POLL_SECONDS)
        raise StartError(
            f"embedded Postgres was not ready after {_START_SECONDS_MAX:.0f} s: {refusal}"
            f"{_environment_hint()}",
            self._log_lines(),
        )

    def _says_ready(self) -> bool:
        """Whether the server has written so into its file, as pg_ctl looks for it."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= _STATUS_LINE and lines[_STATUS_LINE - 1].strip() == "ready"

    def _assert_ours(self, connection: psycopg.Connection, version: str) -> None:
        """Anything else that answers on this port is not ours, whatever it is."""
        row = connection.execute(
            sql.SQL("select current_setting('data_directory'), current_setting('server_version')")
        ).fetchone()
        assert row is not None
        data, running = row
        if Path(data).resolve() != self.data.resolve() or not _same_release(running, version):
            raise StartError(
                f"another Postgres ({running}) answers on port {self.port} in place of ours",
                self._log_lines(),
            )

    def _log_lines(self) -> list[str]:
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return text.splitlines()[-_LOG_LINES:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _supervise(
    binaries: Binaries, home: Path, lock: int, port: int, log: Path
) -> subprocess.Popen[bytes]:
    """Start the supervisor, and through it the server; its standard input is the handle."""
    owner = binaries.owner
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [
                sys.executable, "-I", str(_SUPERVISOR), str(os.getpid()), str(lock),
                "" if owner.uid is None else str(owner.uid),
                "" if owner.gid is None else str(owner.gid),
                str(home), binaries.program("postgres"), "-D", str(home / "data"), "-p", str(port),
                *settings,
            ],
            stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True,
            pass_fds=[lock],
        )  # fmt: skip


def _same_release(running: str, wheel: str) -> bool:
    """Whether `18.6` is what a wheel such as 18.6.3 holds."""
    return running.split(maxsplit=1)[0].split(".")[:2] == wheel.split(".")[:2]


def _environment_hint() -> str:
    """libpq's variables are the one thing outside that can keep a client from its server."""
    names = sorted(name for name in os.environ if name.startswith("PG"))
    return f"; set in the environment: {', '.join(names)}" if names else ""
