"""The threat model names tests that exist, and no refusal of the program goes untested."""

from __future__ import annotations

import re
from pathlib import Path

from programs.buyback import client as buyback

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
SOURCES = "".join(
    path.read_text()
    for folder in ("tests", "scenarios")
    for path in sorted((ROOT / folder).rglob("test_*.py"))
)


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 30
    assert named - set(re.findall(r"def (test_\w+)\(", SOURCES)) == set()


def test_every_refusal_has_a_test_and_a_place_in_the_model() -> None:
    tested = set(re.findall(r'"(\w+)"', SOURCES))
    for name in buyback.errors().values():
        assert name in tested, f"no test expects {name}"
        assert name in PAGE or name in ("BuybackDisabled", "InvalidAmount"), name
