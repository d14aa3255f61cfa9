"""The committed ELFs are those of SHA256SUMS, and nothing else is loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from programs import elf


def test_all_four_load() -> None:
    assert set(elf.checksums()) == {
        "buyback.so",
        "mpl_candy_guard.so",
        "mpl_candy_machine_core.so",
        "mpl_token_metadata.so",
    }
    for file in elf.checksums():
        assert elf.load(file.removesuffix(".so"))[:4] == b"\x7fELF"


def test_one_flipped_byte_is_refused(tmp_path: Path) -> None:
    shutil.copy(elf.FOLDER / "buyback.so", tmp_path)
    content = bytearray((tmp_path / "buyback.so").read_bytes())
    content[5000] ^= 1
    (tmp_path / "buyback.so").write_bytes(content)
    with pytest.raises(elf.ElfError, match=r"buyback\.so has sha256"):
        elf.load("buyback", tmp_path)


def test_an_unknown_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(elf.ElfError, match="not among the built programs"):
        elf.load("pirate")
    with pytest.raises(elf.ElfError, match="cannot be read"):
        elf.load("buyback", tmp_path)
