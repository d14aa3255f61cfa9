"""What a run plays: words of `-k`, and scenarios of one's own amid somebody else's tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = str(Path(sys.executable).with_name("harness"))
OWN = '''
import pytest

@pytest.mark.parametrize("name", ["a box with a name longer than a terminal of 1980 is wide"])
def test_a_box_is_opened(testbed, name):
    """Somebody opens a box."""
    player = testbed.player()
    player.reveal(player.mint())
'''


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HARNESS, "run", *arguments], cwd=folder, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("more", [(), ("--workers", "2"), ("--seeds", "1..2")])
def test_words_that_pytest_cannot_read_are_one_line(tmp_path: Path, more: tuple[str, ...]) -> None:
    done = run(tmp_path, "flow", "-k", "one life", *more)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "harness: -k 'one life': at column 5: expected end of input" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suite", ["own", "own/test_boxes.py"])
def test_the_conftest_of_other_tests_is_not_read(tmp_path: Path, suite: str) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "test_boxes.py").write_text(OWN)
    (tmp_path / "conftest.py").write_text("import what_is_not_installed_here\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --unknown\n")
    done = run(tmp_path, suite)
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("passed  boxes: a box is opened[a box with a name")
    assert line.endswith(" s"), "a line of a log is one line, however long"


def test_a_suite_that_cannot_be_read_was_not_interrupted(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "test_boxes.py").write_text("def test_x(:\n")
    done = run(tmp_path, "own")
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr
    assert "interrupted" not in done.stderr
    assert "told nothing; took" in done.stdout
    (own / "conftest.py").write_text("import what_is_not_installed_here\n")
    done = run(tmp_path, "own", "--runs", "others")
    assert done.returncode == 2
    assert done.stderr.endswith("harness: suite own cannot be played; why is told above\n")
    assert not list((tmp_path / "others").iterdir())
