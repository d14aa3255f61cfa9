"""The lock file of fetched programs: what was deployed where, and which bytes it was.

Like the seal on a parcel: it says who packed it, and shows whether anybody opened it since. The
cluster is named by its genesis hash, because an RPC URL may carry somebody's key.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.programs.sets import COMMITTED, PROGRAMS, ProgramSet

LOCK_FILE = "programs.lock.json"
_FORMAT = 1


@dataclass(frozen=True)
class LockedProgram:
    """One fetched program.

    `sha256` is of the file beside the lock: the ELF without the space that the loader keeps after
    it. `sha256_verify` is the hash that solana-verify prints: of the account's bytes without the
    zeros at their end. `slot` is when it was last deployed, None where the loader does not say.
    """

    name: str
    address: str
    loader: str
    slot: int | None
    upgrade_authority: str | None
    bytes: int
    sha256: str
    sha256_verify: str


@dataclass(frozen=True)
class Lock:
    """Programs fetched from one cluster, at one slot."""

    genesis_hash: str
    slot: int
    programs: tuple[LockedProgram, ...]

    def get(self, name: str) -> LockedProgram | None:
        return next((one for one in self.programs if one.name == name), None)

    def write(self, folder: Path) -> None:
        """Write the lock whole or not at all."""
        content = {"format": _FORMAT, "genesis_hash": self.genesis_hash, "slot": self.slot}
        content["programs"] = [asdict(one) for one in self.programs]
        part = folder / f"{LOCK_FILE}.part"
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        part.replace(folder / LOCK_FILE)


def read_lock(folder: Path) -> Lock | None:
    """The folder's lock; None if it has none. Raises UsageError if it cannot be understood."""
    path = folder / LOCK_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise UsageError(f"{path}: format {content['format']!r} is not known here; fetch anew")
        programs = tuple(LockedProgram(**one) for one in content["programs"])
        return Lock(content["genesis_hash"], content["slot"], programs)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a lock file ({type(error).__name__}); fetch anew") from None


def verified(folder: Path, programs: ProgramSet) -> ProgramSet:
    """The set, if its bytes are those of the folder's lock. Raises UsageError if not."""
    lock = read_lock(folder)
    if lock is None:
        raise UsageError(f"{folder}: has no {LOCK_FILE}; `harness programs fetch` makes it")
    for program in PROGRAMS:
        locked = lock.get(program.name)
        present = programs.origins[program.name] != COMMITTED
        if locked is None and not present:
            continue
        path = folder / f"{program.file}.so"
        if locked is None:
            raise UsageError(f"{path}: is not in {LOCK_FILE}; remove it or fetch anew")
        if not present:
            raise UsageError(f"{path}: is in {LOCK_FILE} but missing; fetch anew")
        found = hashlib.sha256(programs.elves[program.name]).hexdigest()
        if found != locked.sha256:
            raise UsageError(
                f"{path}: has sha256 {found[:16]}..., {LOCK_FILE} says {locked.sha256[:16]}...; "
                "fetch anew"
            )
    return programs
