"""Where a server's data goes: memory where there is room, disk elsewhere and where one asks."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from harness.database import EmbeddedPostgres, place
from harness.database.binaries import Binaries, Owner, find_binaries

KIB = 1024


def room(free_bytes: int) -> os.statvfs_result:
    """What the system says of a file system with so much room."""
    return os.statvfs_result((KIB, KIB, 0, 0, free_bytes // KIB, 0, 0, 0, 0, 255))


@pytest.fixture
def binaries(tmp_path: Path) -> Binaries:
    return Binaries(tmp_path, "18.0", Owner(65534, 65534), cache=tmp_path / "cache")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four gigabytes of memory, mounted where Linux has them."""
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(os, "statvfs", lambda _: room(4 * 2**30))
    monkeypatch.setattr(os.path, "ismount", lambda _: True)
    monkeypatch.setattr(os, "access", lambda *_: True)
    return Path("/dev/shm")


def test_data_is_in_memory_where_there_is_room(binaries: Binaries, memory: Path) -> None:
    assert place.data_parent(binaries) == memory


def test_little_memory_is_left_alone(
    binaries: Binaries, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: room(4 * 2**30 - KIB))  # a container's is less
    assert place.data_parent(binaries) == binaries.cache


def test_a_folder_that_is_no_mount_is_not_memory(
    binaries: Binaries, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda _: False)
    assert place.data_parent(binaries) == binaries.cache


def test_tmpdir_is_followed(
    binaries: Binaries, memory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert place.data_parent(binaries) == binaries.cache, "root's server must get there"
    ours = Binaries(binaries.folder, binaries.version, Owner(None, None), binaries.cache)
    assert place.data_parent(ours) == tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere /dev/shm is not there")
def test_a_server_lies_where_it_should_and_leaves_nothing(tmp_path: Path) -> None:
    with EmbeddedPostgres.start(tmp_path / "log") as server:
        home = server.data.parent
        assert home.parent == place.data_parent(find_binaries())
    assert not home.exists()
