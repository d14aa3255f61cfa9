"""Where a Redis is, and from what a person wrote: nothing, container or a URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from harness.errors import UsageError

HELP = "container (container=IMAGE names another) or redis://:password@host:port."
_PORT = 6379


@dataclass(frozen=True)
class RedisPlace:
    """A Redis, as the guide's variables name it. `password` is not for logs."""

    host: str
    port: int
    password: str

    def variables(self) -> dict[str, str]:
        """The guide's variables for it."""
        return {
            "REDIS_HOST": self.host,
            "REDIS_PORT": str(self.port),
            "REDIS_PASSWORD": self.password,
        }


def check_redis(written: str | None) -> None:
    """Raises UsageError for what `--redis` cannot be."""
    if written is None or written == "container" or written.startswith("container="):
        return
    _parsed(written)


@contextmanager
def open_redis(written: str | None, log: Path) -> Iterator[RedisPlace | None]:
    """Start or name it. Raises UsageError for what it cannot be, StartError if it fails."""
    check_redis(written)
    if written is None:
        yield None
    elif written.partition("=")[0] == "container":
        from harness.redis.container import IMAGE, start

        with start(log, written.partition("=")[2] or IMAGE) as (place, _):
            yield place
    else:
        yield _parsed(written)


def _parsed(written: str) -> RedisPlace:
    try:
        url = urlsplit(written)
        port = url.port or _PORT
    except ValueError:  # its message would show the password
        raise UsageError(f"--redis: must be {HELP[:-1]}") from None
    if url.scheme != "redis" or not url.hostname:
        raise UsageError(f"--redis: must be {HELP[:-1]}")
    return RedisPlace(url.hostname, port, unquote(url.password or ""))
