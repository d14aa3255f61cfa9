"""Without the packages of `make setup` a command says which it lacks, in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.extras import missing_extra

HARNESS = str(Path(sys.executable).with_name("harness"))
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

#: On PYTHONPATH, it hides a package as if it had never been installed.
_HIDING = """
import os, sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name == os.environ["HIDDEN"] else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


def without(hidden: str, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(_HIDING)
    return subprocess.run(
        [HARNESS, *command], env={**os.environ, "PYTHONPATH": str(folder), "HIDDEN": hidden},
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "hidden", "group"),
    [
        (("odds", "audit", "draws.csv"), "numba", "analysis"),
        (("odds", "audit", "draws.csv"), "pyarrow", "analysis"),
        (("odds", "plan", "--shift", "legendary=0.02"), "numba", "analysis"),
        (("treasury", "simulate"), "numba", "analysis"),
        (("treasury", "fit", "prices.csv"), "pandas", "analysis"),
        (("load", "capacity"), "locust", "load"),
        (("parity",), "docker", "docker"),
    ],
)
def test_a_command_names_what_it_lacks(
    command: tuple[str, ...], hidden: str, group: str, tmp_path: Path
) -> None:
    done = without(hidden, tmp_path, *command)
    assert done.returncode == 3, done.stderr
    assert done.stderr == (
        f"harness: this needs {hidden}, which is not installed: make setup in a checkout, "
        f"elsewhere pip install 'mystery-box-testbed[{group}]'\n"
    )


def test_a_suite_of_which_nothing_can_be_told_has_not_passed(tmp_path: Path) -> None:
    done = without("pyarrow", tmp_path, "run", "odds")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("FAILED: ")
    assert "skipped: 2, needs analysis (the packages of make setup, or" in done.stdout


def test_groups_are_those_that_can_be_installed() -> None:
    groups = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    for group in ("analysis", "load", "docker"):
        for package in groups[group]:
            if package not in ("ipywidgets", "jupyterlab"):  # for people, no command imports them
                told = missing_extra(ModuleNotFoundError(name=package))
                assert told is not None, package
                assert f"[{group}]" in str(told)
    assert missing_extra(ModuleNotFoundError(name="harness.nothing")) is None
