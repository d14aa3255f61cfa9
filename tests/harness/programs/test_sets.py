"""Which bytes run: committed, fetched or a folder's, and nothing that is not what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.programs.sets import PROGRAMS, open_set
from programs import elf


def test_the_committed_set_is_whole() -> None:
    committed = open_set()
    assert set(committed.elves) == {program.name for program in PROGRAMS}
    assert committed.checksums()["buyback"] == elf.checksums()["buyback.so"]


def test_a_folder_need_not_hold_all(tmp_path: Path) -> None:
    changed = bytearray(elf.load("buyback"))
    changed[-1] ^= 1
    (tmp_path / "buyback.so").write_bytes(changed)
    found = open_set(str(tmp_path))
    assert found.elves["buyback"] == bytes(changed)
    assert found.elves["candy_guard"] == elf.load("mpl_candy_guard")
    assert found.origins["candy_guard"] == "committed"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds none of mpl_token_metadata.so"),
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
    ],
)
def test_a_folder_without_elves_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "buyback.so").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        open_set(str(tmp_path))


def test_a_word_that_is_no_set_is_refused() -> None:
    with pytest.raises(UsageError, match="neither 'committed', 'fetched' nor a folder"):
        open_set("mainnet")
