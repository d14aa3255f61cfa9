"""A given Postgres: databases of our own on it, and nothing of it touched."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from harness.database import Database, EmbeddedPostgres, UrlDatabase
from harness.errors import StartError, UsageError

PASSWORD = "p%40ss%2Fw%3Ard"  # p@ss/w:rd, as URLs write it


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """Stands for a Postgres that somebody else runs."""
    with EmbeddedPostgres.start(tmp_path_factory.mktemp("server") / "log") as server:
        for role, right in (("maker", "CREATEDB"), ("reader", "NOCREATEDB"), ("other", "CREATEDB")):
            admin(server, f"CREATE ROLE {role} LOGIN {right} PASSWORD 'p@ss/w:rd'")
        yield server


def admin(server: EmbeddedPostgres, statement: str) -> list[str]:
    url = server.url().replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return [row[0] for row in cursor.fetchall()] if cursor.description else []


def databases(server: EmbeddedPostgres) -> set[str]:
    return set(admin(server, "select datname from pg_database"))


def url_of(server: EmbeddedPostgres, role: str = "maker") -> str:
    return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{server.port}/postgres?sslmode=disable"


def test_makes_copies_and_leaves_nothing(server: EmbeddedPostgres) -> None:
    before = databases(server)
    with UrlDatabase(url_of(server)) as given:
        database: Database = given
        first = database.create_database("first")
        engine = create_engine(first)
        with engine.begin() as connection:
            connection.execute(text("create table t as select 42 as n"))
        engine.dispose()
        copy = database.create_database("copy", template="first")
        with psycopg.connect(copy.replace("+psycopg", "")) as connected:
            assert connected.execute("select n from t").fetchone() == (42,)
            connected.rollback()
            database.drop_database("copy")  # cuts off whoever is connected
            with pytest.raises(psycopg.OperationalError, match="terminating connection"):
                connected.execute("select 1")
        assert len(databases(server) - before) == 1
        with pytest.raises(ValueError, match="not a plain database name"):
            database.create_database('x"; drop database postgres')
    given.close()
    assert databases(server) == before


def test_two_runs_do_not_meet(server: EmbeddedPostgres) -> None:
    with UrlDatabase(url_of(server)) as one, UrlDatabase(url_of(server)) as two:
        assert one.create_database("same") != two.create_database("same")
        two.drop_database("same")
        assert len([name for name in databases(server) if name.endswith("_same")]) == 1


def test_what_a_killed_run_left_goes_and_nothing_else(server: EmbeddedPostgres) -> None:
    before = databases(server)
    admin(server, "CREATE DATABASE mystery_box_0123abcd_theirs OWNER other")
    admin(server, "CREATE DATABASE mystery_box_sales OWNER maker")
    script = (
        "import sys; from harness.database import UrlDatabase\n"
        "given = UrlDatabase(sys.argv[1]); given.create_database('left')\n"
        "print('made', flush=True)\n"
        "sys.stdin.read()\n"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", script, url_of(server)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert killed.stdout is not None
    assert killed.stdout.readline() == "made\n"
    with UrlDatabase(url_of(server)):
        assert any(name.endswith("_left") for name in databases(server)), "its run still lived"
    killed.kill()
    killed.wait()
    UrlDatabase(url_of(server)).close()
    theirs = {"mystery_box_0123abcd_theirs", "mystery_box_sales"}
    assert databases(server) == before | theirs
    for name in theirs:
        admin(server, f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    "url",
    ["mysql://u:secret@h/d", "secret", "postgresql://u:secret@[h/d", "postgresql://u:secret@h:x/d"],
)
def test_what_is_no_url_of_postgres_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UsageError, match="must be postgresql://") as refusal:
        UrlDatabase(url)
    assert "secret" not in str(refusal.value)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with EmbeddedPostgres.start(tmp_path / "log") as gone:
        url = url_of(gone)
    with pytest.raises(
        StartError, match=rf"the database at 127.0.0.1:{gone.port}/postgres: "
    ) as no:
        UrlDatabase(url)
    assert "\n" not in str(no.value)
    assert PASSWORD not in str(no.value)


def test_a_role_without_the_right_is_told_what_to_do(server: EmbeddedPostgres) -> None:
    with pytest.raises(StartError, match=r'role reader may not .* ALTER ROLE "reader" CREATEDB'):
        UrlDatabase(url_of(server, "reader"))
