"""Redis in a container of this run's own, behind a password of its own."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.containers import Service, ServiceSpec
from harness.redis.place import RedisPlace

#: A public image of Redis, pinned to its major version.
IMAGE = "redis:8"

_PORT = 6379
_ANSWER_SECONDS_MAX = 2.0
# Read from standard input: an argument could be read by everybody on the machine.
_COMMAND = (
    r"""printf 'requirepass %s\nsave ""\nbind * -::*\n' "$REDIS_PASSWORD" | exec redis-server -"""
)


@contextmanager
def start(log: Path, image: str = IMAGE) -> Iterator[tuple[RedisPlace, Service]]:
    """Run a Redis until the context is left. Raises StartError if it will not start."""
    password = secrets.token_hex(16)
    spec = ServiceSpec(
        name="Redis",
        image=image,
        ports=(_PORT,),
        entrypoint=["sh", "-c"],
        command=[_COMMAND],
        environment={"REDIS_PASSWORD": password},
    )
    with Service.start(spec, log, lambda one: _answers(one, password)) as service:
        yield RedisPlace(service.host, service.port(_PORT), password), service


def _answers(service: Service, password: str) -> bool:
    """Whether it takes the password and answers PING."""
    place = (service.host, service.port(_PORT))
    with socket.create_connection(place, timeout=_ANSWER_SECONDS_MAX) as connection:
        connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
        with connection.makefile("rb") as answers:  # ends when it closes, as QUIT asks
            return b"+PONG" in answers.read()
