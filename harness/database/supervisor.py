"""Keeps one Postgres alive exactly as long as somebody needs it. Runs as a process of its own.

Think of a dead man's handle. Whoever needs the server holds the writing end of this process's
standard input; when that closes, because the holder let go or was killed with -9, the server is
stopped and its data removed. Should this process itself be killed, Linux stops the server (its
parent-death signal); elsewhere the next run sweeps the data.

    python -I supervisor.py UID GID DATA-FOLDER POSTGRES [ARGUMENT ...]

Stands alone: it is started by path and imports nothing of the harness.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS_MAX = 5
_LOOK_SECONDS = 0.2


def _as_owner(uid: str, gid: str) -> Callable[[], None]:
    """What the server's process does before it becomes Postgres."""

    def become() -> None:
        if uid:
            os.setgroups([])
            os.setgid(int(gid))
            os.setuid(int(uid))
        if sys.platform == "linux":  # after setuid, which would clear it
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)

    return become


def main() -> int:
    uid, gid, data, *command = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the handle counts
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=_as_owner(uid, gid),  # noqa: PLW1509 - this process has one thread
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        cwd=data,
    )
    # A server that dies on its own ends this process too: its holder sees that.
    while server.poll() is None:
        readable, _, _ = select.select([0], [], [], _LOOK_SECONDS)
        if readable and not os.read(0, 4096):
            break
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)  # at once: the data is thrown away
        try:
            server.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    shutil.rmtree(data, ignore_errors=True)
    return server.returncode if server.returncode > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
