"""What the linker refuses, shown on ELFs broken on purpose: needs no tool chain.

`programs/recipe/tools/sbf-link` ends by running `check-elf.py` on what it linked and fails the
build if that finds anything; each test here breaks one rule in a program that was fine.
"""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from programs import elf

TOOLS = Path(elf.__file__).parent / "recipe" / "tools"
SCRIPT = TOOLS / "check-elf.py"
_FLAGS_AT, _ENTRY_AT, _MACHINE_AT = 48, 24, 18


def load_script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("check_elf", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


check_elf = load_script()


@pytest.fixture(scope="module")
def sound() -> bytes:
    return elf.load("buyback")


def text_at(content: bytes) -> int:
    """Where the first instruction of .text is; the entry point lies in it."""
    (entry,) = struct.unpack_from("<Q", content, _ENTRY_AT)
    return entry  # these ELFs are laid out so that addresses are places in the file


def with_bytes(at: Callable[[bytes], int], new: bytes) -> Callable[[bytes], bytes]:
    def broken(content: bytes) -> bytes:
        place = at(content)
        return content[:place] + new + content[place + len(new) :]

    return broken


def instruction(
    operation: int, registers: int = 0, offset: int = 0, immediate: int = 0
) -> Callable[[bytes], bytes]:
    """The entry point's first instruction replaced."""
    return with_bytes(text_at, struct.pack("<BBhi", operation, registers, offset, immediate))


def renamed(content: bytes) -> bytes:
    return content.replace(b"\0sol_log_\0", b"\0__ashlti3"[:9] + b"\0")


def address_below(content: bytes) -> bytes:
    moved = struct.pack("<BBhiBBhi", 0xBF, 0xA1, 0, 0, 0x07, 0x01, 0, -5000)
    return with_bytes(text_at, moved)(content)


BROKEN = {
    "store above the frame, as LLVM's stack arguments are": (
        instruction(0x7B, 0x1A, 8), "store at r10+8 ",
    ),
    "store below the frame": (instruction(0x7B, 0x1A, -4104), "store at r10-4104 "),
    "load across the frame's end": (instruction(0x79, 0xA1, -4), "load at r10-4 "),
    "address below the frame": (address_below, "address r10-5000 "),
    "signed division": (instruction(0xE7, 0x01, 0, 3), "opcode 0xe7 "),
    "SBPF v2's opcode": (instruction(0x86, 0x01), "opcode 0x86 "),
    "register 11": (instruction(0xB7, 0x0B), "register above r10 "),
    "frame pointer written": (instruction(0xB7, 0x0A), "r10 written "),
    "helper that is nowhere": (renamed, "unresolved symbol __ashlti"),
    "another SBPF version": (
        with_bytes(lambda _: _FLAGS_AT, struct.pack("<I", 3)), "flags 3: not SBPF v0",
    ),
    "another machine": (with_bytes(lambda _: _MACHINE_AT, struct.pack("<H", 62)), "machine 62"),
    "entry point outside": (
        with_bytes(lambda _: _ENTRY_AT, struct.pack("<Q", 8)), "entry point outside .text",
    ),
    "no ELF": (lambda _: b"#!/bin/sh\n", "not a 64-bit little-endian ELF"),
}  # fmt: skip


@pytest.mark.parametrize(("breaks", "told"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_elf_fails_the_build(
    sound: bytes, tmp_path: Path, breaks: Callable[[bytes], bytes], told: str
) -> None:
    content = breaks(sound)
    assert content != sound
    path = tmp_path / "broken.so"
    path.write_bytes(content)
    found, _ = check_elf.check(path)
    assert any(line.startswith(told) for line in found), found


def test_the_linker_hears_it_by_the_exit_code(sound: bytes, tmp_path: Path) -> None:
    (tmp_path / "good.so").write_bytes(sound)
    (tmp_path / "bad.so").write_bytes(instruction(0xE7, 0x01, 0, 3)(sound))
    for names, code in ((["good.so"], 0), (["good.so", "bad.so"], 1)):
        done = subprocess.run(
            [sys.executable, str(SCRIPT), *names],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
    assert "bad.so: FAILED" in done.stdout
    assert "good.so: ok" in done.stdout


def test_the_committed_programs_pass() -> None:
    for file in elf.checksums():
        found, told = check_elf.check(elf.FOLDER / file)
        assert found == [], file
        assert "deepest frame use" in told
