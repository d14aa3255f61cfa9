"""The built programs as bytes, checked against the checksums they were committed with."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "elf"


class ElfError(Exception):
    """An ELF is missing or is not the one that was committed."""


@cache
def checksums() -> dict[str, str]:
    """SHA-256 by file name, from `elf/SHA256SUMS`."""
    lines = (FOLDER / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    return {name: checksum for checksum, name in (line.split() for line in lines)}


@cache
def load(name: str, folder: Path = FOLDER) -> bytes:
    """The ELF of one program, such as `buyback` or `mpl_token_metadata`.

    Raises ElfError in one line if there is no such file or its bytes are not those of SHA256SUMS.
    """
    file = f"{name}.so"
    expected = checksums().get(file)
    if expected is None:
        raise ElfError(f"{file} is not among the built programs: {', '.join(sorted(checksums()))}")
    try:
        content = (folder / file).read_bytes()
    except OSError as error:
        raise ElfError(f"{folder / file}: cannot be read ({error.strerror})") from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ElfError(
            f"{file} has sha256 {found[:16]}..., SHA256SUMS says {expected[:16]}...; "
            "restore it from version control or rebuild with `make programs`"
        )
    return content
