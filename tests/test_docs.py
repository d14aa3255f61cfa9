"""What the documentation shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.checks import JUDGES, buybacks, lamports, limits, mints, reveals, secrecy
from harness.run.selection import suites

ROOT = Path(__file__).parent.parent


def test_the_example_scenario_passes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
    (tmp_path / "test_example.py").write_text(example)
    pytest_itself = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:pytest_anchorpy", "test_example.py",
    ]  # fmt: skip
    ours = [str(Path(sys.executable).with_name("harness")), "run", "test_example.py"]
    for command, told in ((pytest_itself, "1 passed"), (ours, "passed: 1 scenario, 1 mint,")):
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert told in done.stdout


def test_the_ledgers_example_runs() -> None:
    page = (ROOT / "docs" / "ledger.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
    exec(compile(example, "docs/ledger.md", "exec"), {})


def test_every_judge_is_described() -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text()
    modules = (lamports, mints, reveals, buybacks, limits, secrecy)
    assert len(modules) == len(JUDGES)
    for module in modules:
        assert f"| {module.NAME} |" in page


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_what_a_page_points_at_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_readme_names_only_suites_and_targets_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`?make ([a-z]+)", text)) <= targets
    for suite in re.findall(r"harness run ([a-z]+)", text):
        assert suite in suites()


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github" / "workflows").glob("*.yml")))
def test_a_workflow_plays_suites_that_exist_and_skips_no_odds(workflow: Path) -> None:
    text = workflow.read_text()
    asked = re.findall(r"SUITE=([a-z]+)", text)
    assert asked
    assert set(asked) <= set(suites())
    # without the analysis packages the stories about odds are skipped
    assert 0 < text.index("run: make setup") < text.index("make run")


def test_the_odds_example_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "odds.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("box mystery-box: refuted by ")
