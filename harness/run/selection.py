"""Which scenarios a suite is, in pytest's words.

A suite is a selection of tests under scenarios/: `smoke` and other markers, a theme (the file's
name without `test_`), or `all`. A file or folder of somebody's own scenarios is one, too.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import scenarios
from harness.errors import UsageError

SCENARIOS = Path(scenarios.__file__).parent
_MARKED_SUITES = {
    "smoke": "the short suite that `make run` plays",
    "nightly": "stories with fresh randomness, for every night; no other suite plays them",
}
_RULES = [
    "-o", "addopts=",  # what a project sets for its own tests is not for scenarios
    "--import-mode=importlib",
    "-p", "no:terminal",
    "-p", "harness.plugin",
    "-p", "no:cacheprovider",
    "-p", "no:pytest_anchorpy",
    "--strict-markers",
]  # fmt: skip
_NO_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
#: What a shell tells pytest for somebody's own tests.
_THEIRS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")


def suites() -> dict[str, str]:
    """Every suite by name, with what it is."""
    found = {"all": "every scenario"}
    found.update(_MARKED_SUITES)
    for path in sorted(SCENARIOS.glob("test_*.py")):
        docstring = _first_line(path)
        found[path.stem.removeprefix("test_")] = docstring
    return found


def _first_line(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return text.split('"""')[1].strip().split("\n", 1)[0] if '"""' in text else ""


def _selection(suite: str) -> list[str]:
    known = suites()
    if suite not in known:
        own = Path(suite).resolve()
        if not own.exists():
            raise UsageError(
                f"suite {suite!r} is unknown; known: {', '.join(known)}, or a file or folder with "
                "scenarios of your own"
            )
        # A conftest.py further up belongs to other tests and may need what is not installed here.
        top = own if own.is_dir() else own.parent
        return [
            str(own), "-m", "not nightly", "--rootdir", str(own.parent), "--confcutdir", str(top),
        ]  # fmt: skip
    return [*_ours(suite), "--rootdir", str(SCENARIOS.parent)]


def _ours(suite: str) -> list[str]:
    if suite == "all":
        return [str(SCENARIOS), "-m", "not nightly"]
    if suite in _MARKED_SUITES:
        return [str(SCENARIOS), "-m", suite]
    return [str(SCENARIOS / f"test_{suite}.py"), "-m", "not nightly"]


def collection_arguments(suite: str) -> list[str]:
    """What pytest is told to find a suite's scenarios and nothing else.

    Raises UsageError for a suite that does not exist.
    """
    return [*_selection(suite), *_RULES]


def check_keyword(keyword: str) -> None:
    """Raises UsageError for a `-k` that pytest cannot read: better said once than by each."""
    nothing = str(Path(scenarios.__file__))
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told), only_our_plugin():
        code = pytest.main([*_RULES, nothing, "-k", keyword, "--collect-only"])
    if code == pytest.ExitCode.USAGE_ERROR:
        reason = told.getvalue().strip().rpartition(f"{keyword.strip()}: ")[2]
        raise UsageError(f"-k {keyword!r}: {reason}; words go together by and, or, not and ( )")


@contextlib.contextmanager
def only_our_plugin() -> Iterator[None]:
    """Keep pytest from loading every plugin that happens to be installed, which takes seconds, and
    from heeding options that the environment has for other tests."""
    before = {name: os.environ.pop(name, None) for name in (_NO_AUTOLOAD, *_THEIRS)}
    os.environ[_NO_AUTOLOAD] = "1"
    try:
        yield
    finally:
        del os.environ[_NO_AUTOLOAD]
        os.environ.update({name: value for name, value in before.items() if value is not None})
