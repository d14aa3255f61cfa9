"""One server in one container, as a run needs it: a port on loopback, a log file, a sure end.

A rented van: it is fetched when needed, every mile is written down, and it goes back at the end of
the day even if the driver does not come home: see `reaper`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from harness.containers.engine import host_of, require_engine, require_image
from harness.containers.reaper import RUN_LABEL, Reaper
from harness.errors import StartError

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_PORT_TRIES_MAX = 5
_READY_SECONDS_MAX = 180.0
_READY_POLL_SECONDS = 0.1
_LOG_LINES_SHOWN = 8
_TAKEN = ("port is already allocated", "address already in use")


@dataclass(frozen=True)
class ServiceSpec:
    """What to start. `ports` are inside the container; `files` are put there before it starts."""

    name: str
    image: str
    ports: Sequence[int]
    command: Sequence[str] | None = None
    entrypoint: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


class Service:
    """A running container. Use as a context manager."""

    def __init__(self, spec: ServiceSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        self._client = require_engine()
        self._reaper = Reaper.of_this_process()
        self._container: DockerContainer | None = None
        self._ports: dict[int, int] = {}
        self._follower: threading.Thread | None = None
        self.host = host_of(self._client)

    @classmethod
    def start(cls, spec: ServiceSpec, log: Path, ready: Callable[[Service], bool]) -> Service:
        """Start a container and wait until `ready`. Raises StartError with its last log lines."""
        service = cls(spec, log)
        require_image(service._client, spec.image)
        try:
            service._start()
            service.wait(ready)
        except BaseException:
            service.close()
            raise
        return service

    def port(self, inside: int) -> int:
        """The port on `host` behind which the container's port is."""
        return self._ports[inside]

    def bindings(self) -> list[dict[str, str]]:
        """The engine's word on which addresses and ports of this machine lead here."""
        wrapped = self._wrapped()
        wrapped.reload()
        return [one for bound in wrapped.ports.values() for one in bound or ()]

    def wait(self, ready: Callable[[Service], bool]) -> None:
        """Return when `ready`; it may raise OSError for "not yet". Raises StartError."""
        deadline = time.monotonic() + _READY_SECONDS_MAX
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if ready(self):
                    return
            if self._status() in ("exited", "dead"):
                raise StartError(
                    f"{self.spec.name}: its container ended at once; see {self.log}",
                    self.last_lines(),
                )
            time.sleep(_READY_POLL_SECONDS)
        raise StartError(
            f"{self.spec.name}: not ready after {_READY_SECONDS_MAX:.0f} s; see {self.log}",
            self.last_lines(),
        )

    def kill(self) -> None:
        """End it at once, as a power cut would. Its files stay."""
        self._wrapped().kill()
        self._wrapped().wait()

    def revive(self, ready: Callable[[Service], bool]) -> None:
        """Start it again after `kill`, with its files and on the same ports."""
        since = time.time()
        self._wrapped().start()
        self._follow(since)
        self.wait(ready)

    def last_lines(self) -> list[str]:
        """The last lines that it wrote."""
        if self._container is None:
            return []
        text = self._wrapped().logs(tail=_LOG_LINES_SHOWN).decode(errors="replace")
        return cast(str, text).splitlines()

    def close(self) -> None:
        """Remove the container and its volumes. Safe to call twice."""
        container, self._container = self._container, None
        if container is None:
            return
        from docker.errors import APIError, NotFound

        with contextlib.suppress(NotFound, APIError):
            container.stop(force=True, delete_volume=True)
        if self._follower is not None:
            self._follower.join(timeout=5)

    def _start(self) -> None:
        from docker.errors import APIError

        for attempt in range(_PORT_TRIES_MAX):
            # Chosen here and not by the engine: a container that is killed and started again
            # must come back under the ports that its clients know.
            self._ports = dict(zip(self.spec.ports, _free_ports(len(self.spec.ports)), strict=True))
            self._container = self._made()
            try:
                self._container.start()
                break
            except APIError as error:
                taken = any(words in str(error) for words in _TAKEN)
                self.close()
                if not taken or attempt + 1 == _PORT_TRIES_MAX:
                    raise StartError(
                        f"{self.spec.name}: the engine would not start {self.spec.image}: "
                        f"{(error.explanation or str(error)).splitlines()[0][:300]}"
                    ) from None
        self._follow(0)

    def _made(self) -> DockerContainer:
        from testcontainers.core.container import DockerContainer

        spec = self.spec
        options: dict[str, Any] = {"labels": {RUN_LABEL: self._reaper.run}}
        if spec.entrypoint is not None:
            options["entrypoint"] = list(spec.entrypoint)
        container = DockerContainer(spec.image, **options).with_envs(**spec.environment)
        if spec.command is not None:
            container = container.with_command(list(spec.command))
        for path, content in spec.files.items():
            container = container.with_copy_into_container(content, path)
        # On loopback only, unless the engine itself is elsewhere. testcontainers passes what
        # docker-py understands, its own type knows no addresses.
        address = "127.0.0.1" if self.host == "127.0.0.1" else ""
        for inside, outside in self._ports.items():
            cast(dict[str, Any], container.ports)[f"{inside}/tcp"] = (address, outside)
        return container

    def _follow(self, since: float) -> None:
        """Copy what the container writes to the log file, as it writes it."""
        container = self._wrapped()
        self.log.parent.mkdir(parents=True, exist_ok=True)

        def copy() -> None:
            with self.log.open("ab") as out, contextlib.suppress(Exception):
                lines = container.logs(stream=True, follow=True, since=since or None)
                for chunk in lines:
                    out.write(chunk)
                    out.flush()

        self._follower = threading.Thread(target=copy, name=f"log of {self.spec.name}", daemon=True)
        self._follower.start()

    def _status(self) -> str:
        container = self._wrapped()
        container.reload()
        return str(container.status)

    def _wrapped(self) -> Any:
        assert self._container is not None
        return self._container.get_wrapped_container()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _free_ports(count: int) -> list[int]:
    """Ports that are free on loopback now; all are held until all are known."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", 0))
            ports.append(int(sock.getsockname()[1]))
        return ports
