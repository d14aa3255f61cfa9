"""Clearing up after runs that could not: data of servers that nobody runs any more.

A server's data goes when its supervisor ends. Only if that was killed as well does a folder stay;
the next start of any server here takes it away.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

PREFIX = "mystery-box-postgres-"
_AGE_SECONDS_MIN = 600  # a younger one may be starting


def sweep(parent: Path) -> list[Path]:
    """Remove abandoned data folders below `parent`; returns those that were removed."""
    gone = []
    for home in parent.glob(PREFIX + "*"):
        try:
            young = time.time() - home.stat().st_mtime < _AGE_SECONDS_MIN
        except OSError:  # somebody else was faster
            continue
        if not young and not _served(home / "data" / "postmaster.pid"):
            shutil.rmtree(home, ignore_errors=True)
            gone.append(home)
    return gone


def _served(pid_file: Path) -> bool:
    """Whether the server that wrote this file still runs; its first line is its process."""
    try:
        os.kill(int(pid_file.read_text(encoding="ascii").split("\n", 1)[0]), 0)
    except PermissionError:
        return True  # it runs, as somebody else
    except (OSError, ValueError):
        return False
    return True
