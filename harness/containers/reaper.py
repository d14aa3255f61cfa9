"""Takes this run's containers away when its process is gone, however it went.

A dead man's handle: a small process of its own holds one end of a pipe. As long as the run lives,
the pipe is open. When it closes, by an ordinary end, a Ctrl-C, a crash or kill -9, the small
process removes every container that bears the run's label, and ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time

RUN_LABEL = "mystery-box.run"
_SECONDS_MAX = 60
_LATE_SECONDS = 3.0  # an engine may still be making the container that the run last asked for


class Reaper:
    """The handle that the run holds. One a process; containers carry its `run` as a label."""

    _mine: Reaper | None = None
    _pid = 0

    def __init__(self) -> None:
        self.run = secrets.token_hex(8)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.containers.reaper", self.run],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is for the run, not for it
        )

    @classmethod
    def of_this_process(cls) -> Reaper:
        """This process's reaper; started when first asked for, not inherited by a fork."""
        if cls._mine is None or cls._pid != os.getpid():
            cls._mine, cls._pid = cls(), os.getpid()
        return cls._mine


def remove_containers(run: str) -> int:
    """Remove every container of a run, with its volumes; returns how many there were."""
    import docker
    from docker.errors import APIError

    client = docker.from_env(timeout=_SECONDS_MAX)
    found = client.containers.list(
        all=True, ignore_removed=True, filters={"label": f"{RUN_LABEL}={run}"}
    )
    for container in found:
        with contextlib.suppress(APIError):  # gone in the meantime
            container.remove(force=True, v=True)
    return len(found)


def main() -> None:
    sys.stdin.buffer.read()  # until the run is gone
    remove_containers(sys.argv[1])
    time.sleep(_LATE_SECONDS)
    remove_containers(sys.argv[1])


if __name__ == "__main__":
    main()
