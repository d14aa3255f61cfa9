"""A Postgres server of this process's own: up in a moment, gone with it.

It listens on a free port of 127.0.0.1 only, runs without fsync (its data is thrown away), and is
stopped when the process that started it ends, however it ends.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from harness.database.binaries import Binaries, find_binaries
from harness.database.sweep import PREFIX, sweep
from harness.database.template import SUPERUSER, copy_template, template
from harness.errors import StartError

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_START_SECONDS_MAX = 30.0
_STOP_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.01
_PORTS_TRIED_MAX = 5
_LOG_LINES = 12
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """A running server. Use as a context manager; make it with `start`."""

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
        binaries = find_binaries()
        source = template(binaries)
        parent = _data_parent(binaries)
        sweep(parent)
        tried: list[str] = []
        for _ in range(_PORTS_TRIED_MAX):
            home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            data = home / "data"
            copy_template(source, data)
            if binaries.owner.uid is not None:
                home.chmod(0o711)
            port = _free_port()
            server = cls(
                _supervise(binaries, home, data, port, log), port, source.password, data, log
            )
            try:
                server._wait_until_ready()
            except StartError as error:
                server.close()
                tried = error.log_lines
                if any("could not bind" in line for line in tried):
                    continue  # somebody took the port in between
                raise
            return server
        raise StartError(f"embedded Postgres found no free port in {_PORTS_TRIED_MAX} tries", tried)

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy's URL of a database. Holds the password: not for logs."""
        return f"postgresql+psycopg://{SUPERUSER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given; returns its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(_identifier(name))
        if template is not None:
            # A copy of files is faster than WAL-logging each page, for a database this small.
            statement += sql.SQL(" TEMPLATE {} STRATEGY file_copy").format(_identifier(template))
        self._execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and cut off whoever is connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_identifier(name)))

    def close(self) -> None:
        """Stop the server and remove its data. Safe to call twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self._password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _execute(self, statement: sql.Composed) -> None:
        with self._connect() as connection:
            connection.execute(statement)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise StartError("embedded Postgres ended while starting", self._log_lines())
            try:
                with self._connect() as connection:
                    row = connection.execute("show data_directory").fetchone()
            except psycopg.OperationalError:
                time.sleep(_POLL_SECONDS)
                continue
            # Anything else that answers on this port is not ours, whatever it is.
            if row is None or Path(row[0]).resolve() != self.data.resolve():
                raise StartError("another Postgres answers in place of ours", self._log_lines())
            return
        raise StartError(
            f"embedded Postgres was not ready after {_START_SECONDS_MAX:.0f} s", self._log_lines()
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
    binaries: Binaries, home: Path, data: Path, port: int, log: Path
) -> subprocess.Popen[bytes]:
    """Start the supervisor, and through it the server; its standard input is the handle."""
    owner = binaries.owner
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [
                sys.executable, "-I", str(_SUPERVISOR),
                "" if owner.uid is None else str(owner.uid),
                "" if owner.gid is None else str(owner.gid),
                str(home), binaries.program("postgres"), "-D", str(data), "-p", str(port),
                *settings,
            ],
            stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip


def _data_parent(binaries: Binaries) -> Path:
    """Where data goes: root's templates are where others may enter, so is its data."""
    return binaries.cache if binaries.owner.uid is not None else Path(tempfile.gettempdir())


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _identifier(name: str) -> sql.Identifier:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a plain database name")
    return sql.Identifier(name)
