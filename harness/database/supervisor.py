"""Keeps one Postgres alive exactly as long as somebody needs it. Runs as a process of its own.

Think of a dead man's handle. Whoever needs the server holds the writing end of this process's
standard input; when that closes, because the holder let go or was killed with -9, the server is
stopped and its data removed. The holder's own process is watched too, since a child that it forked
may hold a copy of the handle without knowing. Should this process itself be killed, Linux stops
the server (its parent-death signal) and the next run sweeps the data.

    python -I supervisor.py HOLDER-PID LOCK-FD UID GID HOME POSTGRES [ARGUMENT ...]

UID and GID may be empty: then the server runs as whoever runs this. The lock's descriptor is
passed on to the server, so that nobody sweeps a folder in use. Stands alone: it is started by path
and imports nothing of the harness.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_IPC_RMID = 0
_STOP_SECONDS_MAX = 5
_LOOK_SECONDS = 0.2


def _as_owner(uid: str, gid: str) -> Callable[[], None]:
    """What the server's process does before it becomes Postgres."""
    supervisor = os.getpid()

    def become() -> None:
        if uid:
            os.setgroups([])
            os.setgid(int(gid))
            os.setuid(int(uid))
        if sys.platform == "linux":  # after setuid, which would clear it
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
            if os.getppid() != supervisor:  # it died before the signal was asked for
                os._exit(1)

    return become


def _wait(server: subprocess.Popen[bytes], holder: int) -> None:
    """Return when the server has ended or nobody needs it any more."""
    while server.poll() is None and os.getppid() == holder:
        readable, _, _ = select.select([0], [], [], _LOOK_SECONDS)
        if readable and not os.read(0, 4096):
            return


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGQUIT)  # at once: the data is thrown away
    try:
        server.wait(_STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _release_shared_memory(pid_file: Path) -> None:
    """A server that was killed with -9 leaves its segment; its file's seventh line names it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        segment = int(pid_file.read_text(encoding="ascii").splitlines()[6].split()[1])
        ctypes.CDLL(None).shmctl(segment, _IPC_RMID, None)


def main() -> int:
    holder, lock, uid, gid, home, *command = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the handle counts
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=_as_owner(uid, gid),  # noqa: PLW1509 - this process has one thread
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        cwd=home,
        pass_fds=[int(lock)],
    )
    # A server that dies on its own ends this process too: its holder sees that.
    _wait(server, int(holder))
    if server.poll() is None:
        _stop(server)
    _release_shared_memory(Path(home) / "data" / "postmaster.pid")
    shutil.rmtree(home, ignore_errors=True)
    return server.returncode if server.returncode > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
