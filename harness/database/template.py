"""An empty database cluster, made once and copied for every run.

`initdb` takes a second; copying its result takes a fraction. The copy is keyed by the wheel's
version and by this module's settings, and is put in place in one step, so that runs side by side
never see half of one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.database.binaries import Binaries
from harness.errors import StartError

SUPERUSER = "testbed"
_INITDB = (
    "--username", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
    "--no-sync", "--no-instructions", "--set=scram_iterations=1",
)  # fmt: skip
_SECONDS_MAX = 60


@dataclass(frozen=True)
class Template:
    """A cluster's folder, to be copied, and the password of its superuser."""

    folder: Path
    password: str


def template(binaries: Binaries) -> Template:
    """The template for these binaries; made if it is not there yet."""
    key = hashlib.sha256(" ".join(_INITDB).encode()).hexdigest()[:8]
    folder = binaries.cache / f"cluster-{binaries.version}-{key}"
    if not (folder / "password").exists():
        _make(binaries, folder)
    return Template(folder / "data", (folder / "password").read_text(encoding="ascii"))


def copy_template(source: Template, target: Path) -> None:
    """A cluster of one's own at `target`, with the owner that the template has."""
    shutil.copytree(source.folder, target, symlinks=True)
    target.chmod(0o700)
    status = source.folder.stat()
    if os.geteuid() == 0:
        chown_tree(target, status.st_uid, status.st_gid)


def chown_tree(folder: Path, uid: int, gid: int) -> None:
    for parent, folders, files in os.walk(folder):
        for name in ("", *folders, *files):
            os.chown(os.path.join(parent, name), uid, gid, follow_symlinks=False)


def _make(binaries: Binaries, folder: Path) -> None:
    part = Path(tempfile.mkdtemp(prefix="making-", dir=binaries.cache))
    owner = binaries.owner
    password = secrets.token_hex(16)
    password_file = part / "password"
    password_file.write_text(password, encoding="ascii")
    if owner.uid is not None and owner.gid is not None:
        chown_tree(part, owner.uid, owner.gid)
    done = subprocess.run(
        [
            binaries.program("initdb"), *_INITDB, f"--pwfile={password_file}",
            f"--pgdata={part / 'data'}",
        ],
        user=owner.uid, group=owner.gid, extra_groups=[] if owner.uid is not None else None,
        cwd=part, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(part)},
        capture_output=True, text=True, timeout=_SECONDS_MAX, check=False,
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(part, ignore_errors=True)
        lines = (done.stdout + done.stderr).splitlines()[-8:]
        raise StartError("embedded Postgres: initdb failed", lines)
    os.chown(password_file, os.geteuid(), os.getegid())
    password_file.chmod(0o600)
    part.chmod(0o755 if owner.uid is not None else 0o700)
    try:
        part.rename(folder)
    except OSError:  # another run was faster
        shutil.rmtree(part, ignore_errors=True)
