"""The Docker engine of this machine: is it there, and does it have what we need?

Asked once, before anything is started, so that a person without Docker reads one line that says
what to do instead of a client library's traceback.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.errors import StartError
from harness.extras import missing_extra

if TYPE_CHECKING:
    import docker

_SECONDS_MAX = 20
_RYUK = "TESTCONTAINERS_RYUK_DISABLED"


def require_engine() -> docker.DockerClient:
    """A client of the running engine.

    Raises StartError if no engine answers, or the client libraries are not installed.
    """
    # Ryuk is a container that removes ours when we die. The reaper beside this file does that
    # without an image; whoever sets the variable to false gets Ryuk too. Read on import.
    os.environ.setdefault(_RYUK, "true")
    try:
        import docker
        import testcontainers.core.container  # noqa: F401
        from docker.errors import DockerException
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from None
    try:
        client = docker.from_env(timeout=_SECONDS_MAX)
        client.ping()
    except DockerException as error:
        reason = str(error).splitlines()[0][:200]
        raise StartError(
            f"no Docker engine answers ({reason}); install it or start its service, or run on the "
            "embedded default: --ledger embedded --database embedded"
        ) from None
    return client


def host_of(client: docker.DockerClient) -> str:
    """Where ports of containers are reached: loopback, or the host of a distant engine."""
    base = str(client.api.base_url)
    if base.startswith(("http+docker", "http+unix", "npipe")):
        return "127.0.0.1"
    return urlsplit(base).hostname or "127.0.0.1"


def require_image(client: docker.DockerClient, name: str) -> None:
    """Pull an image unless it is here. Raises StartError if it cannot be had."""
    from docker.errors import APIError, ImageNotFound

    try:
        client.images.get(name)
    except ImageNotFound:
        try:
            client.images.pull(name)
        except APIError as error:
            reason = (error.explanation or str(error)).splitlines()[0][:200]
            raise StartError(
                f"the image {name} is not on this machine and cannot be pulled ({reason}); "
                "name another, such as --ledger validator=IMAGE or --database container=IMAGE"
            ) from None
