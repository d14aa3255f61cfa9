"""An empty database cluster, made once and copied for every run.

`initdb` takes a second; copying its result takes a fraction. The copy is keyed by the wheel's
version and by this module's settings, and is put in place in one step, so that runs side by side
never see half of one.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.database.binaries import Binaries
from harness.database.cache import made_once, taken
from harness.errors import StartError

SUPERUSER = "testbed"
_INITDB = (
    "--username", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
    "--no-sync", "--no-instructions", "--set=scram_iterations=1",
    "--wal-segsize=1",  # the first segment is in every copy: 1 MB of it instead of 16
)  # fmt: skip
_LAYOUT = "data and password, 2"  # of the template's folder; part of its key
_SECONDS_MAX = 60


@dataclass(frozen=True)
class Template:
    """A cluster's folder, to be copied, and the password of its superuser."""

    folder: Path
    password: str


def template(binaries: Binaries) -> Template:
    """The template for these binaries; made if it is not there yet."""
    key = hashlib.sha256(" ".join((*_INITDB, _LAYOUT)).encode()).hexdigest()[:8]
    folder = binaries.cache / f"cluster-{binaries.version}-{key}"
    if not folder.exists():
        with made_once(folder) as part:
            _initialise(binaries, part)
    taken(folder)
    return Template(folder / "data", (folder / "password").read_text(encoding="ascii"))


def copy_template(source: Template, target: Path) -> None:
    """A cluster of one's own at `target`, with the owner that the template has."""
    # Contents only: times and modes of a thousand files would take as long again.
    shutil.copytree(source.folder, target, symlinks=True, copy_function=shutil.copyfile)
    target.chmod(0o700)
    if os.geteuid() == 0:
        status = source.folder.stat()
        for parent, _, files in os.walk(target):
            for name in ("", *files):
                os.chown(os.path.join(parent, name), status.st_uid, status.st_gid)


def _initialise(binaries: Binaries, part: Path) -> None:
    """Make the cluster `data` in `part`, and its superuser's `password` beside it."""
    _check_name()
    owner, data, password_file = binaries.owner, part / "data", part / "password"
    data.mkdir(mode=0o700)
    password_file.touch(0o600)
    password_file.write_text(secrets.token_hex(16), encoding="ascii")
    if owner.uid is not None and owner.gid is not None:
        for path in (data, password_file):
            os.chown(path, owner.uid, owner.gid)
    command = [binaries.program("initdb"), *_INITDB, f"--pwfile={password_file}", "-D", str(data)]
    try:
        done = subprocess.run(
            command, user=owner.uid, group=owner.gid,
            extra_groups=[] if owner.uid is not None else None,
            cwd=part, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(part)},
            capture_output=True, text=True, timeout=_SECONDS_MAX, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise StartError(f"embedded Postgres: initdb took over {_SECONDS_MAX} s") from None
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()[-8:]
        raise StartError("embedded Postgres: initdb failed", lines)
    os.chown(password_file, os.geteuid(), os.getegid())


def _check_name() -> None:
    """initdb asks who it is run by, whatever else it is told, and gives up if that has no name."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise StartError(
            f"embedded Postgres: user id {os.geteuid()} has no name, and initdb wants one; "
            "in a container mount the host's (-v /etc/passwd:/etc/passwd:ro), "
            "or name another database: --database URL"
        ) from None
