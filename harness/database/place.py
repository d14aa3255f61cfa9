"""Where a server's data goes: into memory where there is room, else on disk.

A drawing in sand: the data is thrown away, so nothing is gained by a disk. And much is lost on
one: a database is three hundred files, made and removed with every scenario, and ext4 looks at
each inode freed in the last five seconds before it takes another. A fifth of the processor time of
a soak went there.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.database.binaries import Binaries

_MEMORY = Path("/dev/shm")
_MEMORY_BYTES_MIN = 4 * 2**30  # a container's is 64 MB unless asked; a load of an hour takes 2 GB


def data_parent(binaries: Binaries) -> Path:
    """The folder for folders of data: memory if it has 4 GiB free and TMPDIR says nothing else,
    or a place on disk. Root's server runs as somebody else, who must get there."""
    if "TMPDIR" not in os.environ and _has_room(_MEMORY):
        return _MEMORY
    return data_parent_on_disk(binaries)


def data_parent_on_disk(binaries: Binaries) -> Path:
    """Where data goes without memory: root's templates are where others may enter, so is its
    data."""
    return binaries.cache if binaries.owner.uid is not None else Path(tempfile.gettempdir())


def _has_room(memory: Path) -> bool:
    try:
        room = os.statvfs(memory)
    except OSError:  # no such thing here
        return False
    free = room.f_bavail * room.f_frsize
    return free >= _MEMORY_BYTES_MIN and os.path.ismount(memory) and os.access(memory, os.W_OK)
