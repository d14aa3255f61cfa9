"""Clearing up after runs that could not: data of servers that nobody runs any more.

A server's data goes when its supervisor ends. Only if that was killed as well does a folder stay;
the next start of any server here takes it away. Whether a folder is in use cannot be asked of
process numbers, which are given out anew: everybody who needs one holds a lock on a file in it,
and a lock goes with its last holder, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from pathlib import Path

PREFIX = "mystery-box-postgres-"
_LOCK = "held"
_UNLOCKED_SECONDS_MIN = 24 * 3600  # one without a lock file: between two steps of being made


def hold(home: Path) -> int:
    """Lock a new data folder; returns the descriptor that holds the lock, also when passed on."""
    unnamed = home / f"{_LOCK}.new"  # under its name it is never seen without its lock
    lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(home / _LOCK)
    return lock


def release(home: Path, lock: int) -> None:
    """Give up the lock and take its file away: the folder is to stay."""
    (home / _LOCK).unlink()
    os.close(lock)


def sweep(parent: Path) -> list[Path]:
    """Remove our abandoned data folders below `parent`; returns those that were removed."""
    gone = []
    for home in parent.glob(PREFIX + "*"):
        try:
            status = home.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            abandoned = _abandoned(home, status.st_mtime)
        except OSError:  # somebody else was faster
            continue
        if abandoned:
            shutil.rmtree(home, ignore_errors=True)
            gone.append(home)
    return gone


def _abandoned(home: Path, mtime: float) -> bool:
    try:
        lock = os.open(home / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return time.time() - mtime > _UNLOCKED_SECONDS_MIN
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
