"""Postgres in a container: a given server like any other, but one that goes away with the run."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Self

import psycopg

from harness.containers import Service, ServiceSpec
from harness.database.given import UrlDatabase

#: A public image of Postgres, pinned to its major version.
IMAGE = "postgres:17"

_PORT = 5432
_USER = "testbed"
_CONNECT_SECONDS_MAX = 5


class ContainerPostgres:
    """A Postgres of this run's own, in a container. Use as a context manager."""

    kind = "container"

    def __init__(self, service: Service, url: str) -> None:
        self.service = service
        self._url = url
        self._given = UrlDatabase(url)

    @classmethod
    def start(cls, log: Path, image: str = IMAGE) -> ContainerPostgres:
        """Raises StartError if engine, image or server will not start."""
        password = secrets.token_hex(16)
        spec = ServiceSpec(
            name="Postgres",
            image=image,
            ports=(_PORT,),
            environment={
                "POSTGRES_USER": _USER,
                "POSTGRES_PASSWORD": password,
                "POSTGRES_DB": _USER,
                "LANG": "C.UTF-8",
            },
        )

        service = Service.start(spec, log, lambda one: _answers(_url(one, password)))
        try:
            return cls(service, _url(service, password))
        except BaseException:
            service.close()
            raise

    def create_database(self, name: str, template: str | None = None) -> str:
        return self._given.create_database(name, template)

    def drop_database(self, name: str) -> None:
        self._given.drop_database(name)

    def restart(self) -> None:
        """Kill the server as a power cut would, start it again and wait until it answers.

        Its databases are what the write-ahead log says they are; connections are cut.
        """
        self.service.kill()
        self.service.revive(lambda _: _answers(self._url))
        self._given.reconnect()

    def close(self) -> None:
        self._given.abandon()  # with the container goes all that was made in it
        self.service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _url(service: Service, password: str) -> str:
    return f"postgresql://{_USER}:{password}@{service.host}:{service.port(_PORT)}/{_USER}"


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=_CONNECT_SECONDS_MAX).close()
    except psycopg.OperationalError:
        return False
    return True
