"""Which bytes run: a set of programs, like the records that a jukebox is loaded with.

Three sets can be loaded: `committed` (built from published sources, programs/elf), `fetched` (what
a cluster has deployed, see fetch.py) and any folder with ELFs, such as a build of one's own. A
folder need not hold all: what it lacks is taken from the committed ones.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from solders.pubkey import Pubkey

from harness.errors import UsageError
from programs import elf
from programs.buyback import client as buyback
from programs.candy_guard import client as candy_guard
from programs.candy_machine import client as candy_machine
from programs.token_metadata import client as token_metadata

COMMITTED, FETCHED = "committed", "fetched"

#: Where `harness programs fetch` puts what it dumps, and `--programs fetched` looks.
FETCHED_FOLDER = Path("runs") / "fetched-programs"

#: No program can be larger than an account.
ELF_BYTES_MAX = 10 * 1024 * 1024


@dataclass(frozen=True)
class KnownProgram:
    """A program that the testbed runs: its short name, its address and its ELF's file name."""

    name: str
    address: Pubkey
    file: str


PROGRAMS = (
    KnownProgram("token_metadata", token_metadata.PROGRAM_ID, "mpl_token_metadata"),
    KnownProgram("candy_machine", candy_machine.PROGRAM_ID, "mpl_candy_machine_core"),
    KnownProgram("candy_guard", candy_guard.PROGRAM_ID, "mpl_candy_guard"),
    KnownProgram("buyback", buyback.PROGRAM_ID, "buyback"),
)


@dataclass(frozen=True)
class ProgramSet:
    """The ELF of every known program, by short name, and where each comes from."""

    choice: str
    elves: dict[str, bytes] = field(repr=False)
    origins: dict[str, str]

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.elves[name]).hexdigest()

    def checksums(self) -> dict[str, str]:
        """SHA-256 by short name."""
        return {name: self.sha256(name) for name in self.elves}


def open_set(choice: str = COMMITTED) -> ProgramSet:
    """The set of that name, or of that folder.

    Raises UsageError for a folder without any ELF, a file that is none, or fetched bytes that are
    not those of their lock file.
    """
    if choice == COMMITTED:
        return _committed()
    if choice == FETCHED:
        from harness.programs.lock import verified

        if not FETCHED_FOLDER.is_dir():
            raise UsageError(
                f"{FETCHED_FOLDER}: nothing was fetched here yet; "
                "`harness programs fetch --url RPC` does it"
            )
        return verified(FETCHED_FOLDER, _folder(FETCHED_FOLDER, choice))
    return _folder(Path(choice), choice)


def _committed() -> ProgramSet:
    elves = {program.name: elf.load(program.file) for program in PROGRAMS}
    return ProgramSet(COMMITTED, elves, dict.fromkeys(elves, COMMITTED))


def _folder(folder: Path, choice: str) -> ProgramSet:
    if not folder.is_dir():
        raise UsageError(
            f"programs {choice!r}: neither {COMMITTED!r}, {FETCHED!r} nor a folder with ELFs"
        )
    elves, origins = {}, {}
    for program in PROGRAMS:
        path = folder / f"{program.file}.so"
        if path.is_file():
            elves[program.name], origins[program.name] = read_elf(path), str(path)
        else:
            elves[program.name], origins[program.name] = elf.load(program.file), COMMITTED
    if set(origins.values()) == {COMMITTED}:
        files = ", ".join(f"{program.file}.so" for program in PROGRAMS)
        raise UsageError(f"{folder}: holds none of {files}")
    return ProgramSet(choice, elves, origins)


def read_elf(path: Path) -> bytes:
    """An ELF's bytes. Raises UsageError if the file is none or too large for an account."""
    try:
        if path.stat().st_size > ELF_BYTES_MAX:
            raise UsageError(f"{path}: larger than an account may be ({ELF_BYTES_MAX} bytes)")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    if content[:4] != b"\x7fELF":
        raise UsageError(
            f"{path}: not an ELF file (it begins with {content[:4].hex() or 'nothing'})"
        )
    return content
