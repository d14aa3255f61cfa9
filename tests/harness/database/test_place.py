"""Where a server's data goes: memory where there is room, disk elsewhere and where one asks."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from harness.database import EmbeddedPostgres, place
from harness.database.binaries import find_binaries

KIB = 1024


def room(free_bytes: int) -> os.statvfs_result:
    """What the system says of a file system with so much room."""
    return os.statvfs_result((KIB, KIB, 0, 0, free_bytes // KIB, 0, 0, 0, 0, 255))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four gigabytes of memory, mounted where Linux has them, and root, who asks for them."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(os, "statvfs", lambda _: room(4 * 2**30))
    monkeypatch.setattr(os.path, "ismount", lambda _: True)
    monkeypatch.setattr(os, "access", lambda *_: True)
    return Path("/dev/shm")


def test_data_is_in_memory_where_there_is_room(cache: Path, memory: Path) -> None:
    assert place.data_parent(cache) == memory


def test_little_memory_is_left_alone(
    cache: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: room(4 * 2**30 - KIB))  # a container's is less
    assert place.data_parent(cache) == cache


def test_a_folder_that_is_no_mount_is_not_memory(
    cache: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda _: False)
    assert place.data_parent(cache) == cache


def test_memory_that_one_may_not_write_is_left_alone(
    cache: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert place.data_parent(cache) == cache


def test_tmpdir_is_followed(
    cache: Path, memory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert place.data_parent(cache) == cache, "root's server must get there"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert place.data_parent(cache) == tmp_path


def test_a_server_lies_where_it_should_and_leaves_nothing(tmp_path: Path) -> None:
    with EmbeddedPostgres.start(tmp_path / "log") as server:
        home = server.data.parent
        assert home.parent == place.data_parent(find_binaries().cache)
    assert not home.exists()
