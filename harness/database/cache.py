"""Where things that take long to make are kept for the next run.

A larder with a rule: what stands on its shelves is finished. Things are made beside the shelf and
put there in one step, so that runs side by side never see half of one; what nobody has taken for a
month is thrown away.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.database.sweep import PREFIX, hold, release

_NAME = "mystery-box-testbed"
_UNUSED_SECONDS_MAX = 30 * 24 * 3600
_OTHERS_READ_EXECUTE = 0o005


def find_cache() -> Path:
    """A folder of ours that whoever runs the server can enter; a temporary one if need be."""
    for folder in _candidates():
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            if _ours(folder):
                return folder
        except OSError:  # a home that is not there, or not for writing
            continue
    temporary = Path(tempfile.mkdtemp(prefix=_NAME + "-"))
    temporary.chmod(0o755)
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


def open_to_others(folder: Path) -> bool:
    """Whether any user may enter the folder and all above it."""
    return all(
        step.stat().st_mode & _OTHERS_READ_EXECUTE == _OTHERS_READ_EXECUTE
        for step in (folder, *folder.parents)
    )


def let_others_in(folder: Path) -> None:
    """Let any user read what is in the folder, and run what its owner can: a strict umask made
    the files of an installation for its owner alone."""
    for step in (folder, *folder.rglob("*")):
        if not step.is_symlink():
            mode = step.stat().st_mode
            step.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


@contextmanager
def made_once(target: Path) -> Iterator[Path]:
    """A folder to make `target` in; becomes it on leaving, unless another run was faster."""
    part = Path(tempfile.mkdtemp(prefix=PREFIX, dir=target.parent))
    try:
        lock = hold(part)
        part.chmod(0o755)
        yield part
        try:
            part.rename(target)
        except OSError:  # another run was faster
            os.close(lock)
            if not target.is_dir():
                raise
        else:  # not before: whoever sweeps takes an unlocked part
            release(target, lock)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def taken(kept: Path) -> Path:
    """Note that `kept` is in use, and throw away its like that has not been for long."""
    os.utime(kept)
    for other in kept.parent.glob(kept.name.partition("-")[0] + "-*"):
        try:
            if time.time() - other.stat().st_mtime > _UNUSED_SECONDS_MAX:
                shutil.rmtree(other, ignore_errors=True)
        except OSError:  # somebody else was faster
            continue
    return kept


def _candidates() -> Iterator[Path]:
    """Where it may be, best first. Root's home is closed to the user that runs its server."""
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        yield Path(chosen).absolute() / _NAME
    if os.geteuid() == 0:
        yield Path("/var/tmp") / _NAME
        return
    try:
        yield Path.home() / ".cache" / _NAME
    except RuntimeError:  # a user without a home
        return


def _ours(folder: Path) -> bool:
    """Whether nobody else can write the folder and whoever runs the server can enter it."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return False
    folder.chmod(0o755)  # whatever the umask made of it
    return os.access(folder, os.W_OK) and (os.geteuid() != 0 or open_to_others(folder))
