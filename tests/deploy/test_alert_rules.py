"""The alert rules fire on what they are for and keep quiet otherwise, says Prometheus' own tool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

RULES = Path(__file__).resolve().parents[2] / "deploy/prometheus"


def _promtool(*arguments: str, folder: Path = RULES) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return subprocess.run(
        [tool, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_rules_and_configuration_are_valid() -> None:
    checked = _promtool("check", "config", "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_rule_fires_and_a_quiet_day_is_quiet() -> None:
    tested = _promtool("test", "rules", "alerts.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_broken_rule_is_noticed(tmp_path: Path) -> None:
    """The test of the rules can fail: with the treasury's limit at 5 SOL nothing fires at 49."""
    shutil.copytree(RULES, tmp_path, dirs_exist_ok=True)
    rules = tmp_path / "alerts.yml"
    rules.write_text(rules.read_text().replace("< 50e9", "< 5e9"))
    tested = _promtool("test", "rules", "alerts.test.yml", folder=tmp_path)
    assert tested.returncode != 0
    assert "TreasuryBelow50Sol" in tested.stdout + tested.stderr


def test_every_rule_is_tested_and_says_what_to_do() -> None:
    groups = yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    tests = (RULES / "alerts.test.yml").read_text()
    for rule in (rule for group in groups for rule in group["rules"]):
        assert f'alertname="{rule["alert"]}"' in tests
        assert f"alertname: {rule['alert']}," in tests
        assert set(rule["annotations"]) == {"summary", "action"}
        assert rule["labels"]["severity"] in ("warning", "critical")
