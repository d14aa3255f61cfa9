"""Where a server's data goes: into memory where there is room, else on disk.

A drawing in sand: the data is thrown away, so nothing is gained by a disk. And much can be lost on
one: a database is 364 files, made and removed with every scenario, and ext4 without a journal, as
some short-lived machines have it, passes over each inode freed in the last minute, or five,
before it takes another (`recently_deleted` in Linux's fs/ext4/ialloc.c).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_MEMORY_BYTES_MIN = 4 * 2**30  # five hundred databases of 8 MB; a container has 64 MB in all


def data_parent(cache: Path) -> Path:
    """The folder for folders of data: memory if it has 4 GiB free and TMPDIR says nothing else,
    or a place on disk."""
    if "TMPDIR" not in os.environ and _has_room(_MEMORY):
        return _MEMORY
    return data_parent_on_disk(cache)


def data_parent_on_disk(cache: Path) -> Path:
    """Where data goes without memory: for root beside the templates in `cache`, as its server runs
    as somebody else, who must get there."""
    return cache if os.geteuid() == 0 else Path(tempfile.gettempdir())


def _has_room(memory: Path) -> bool:
    try:
        room = os.statvfs(memory)
    except OSError:  # no such thing here
        return False
    free = room.f_bavail * room.f_frsize
    return free >= _MEMORY_BYTES_MIN and os.path.ismount(memory) and os.access(memory, os.W_OK)
