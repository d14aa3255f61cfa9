"""The page of proofs: parts are replaced one by one, in their subject's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.validity.page import write_part
from harness.validity.parts import markdown_table, parts_of


def test_a_part_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    page = tmp_path / "validity.md"
    write_part(page, "odds/size", "first")
    write_part(page, "treasury/paths", "paths")
    write_part(page, "odds/power", "power")
    write_part(page, "odds/size", r"second \1")
    text = page.read_text()
    assert "first" not in text
    assert text.index("second \\1") < text.index("power") < text.index("paths")
    assert text.startswith("# Validity")
    assert [path.name for path in tmp_path.iterdir()] == ["validity.md"]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="subject 'luck' is unknown; known: odds"):
        parts_of("luck")
    with pytest.raises(UsageError, match="part 'luck' of odds is unknown"):
        parts_of("odds", "luck")


def test_a_table_is_markdown() -> None:
    assert markdown_table(["a", "b"], [[1, 2.5]]) == "| a | b |\n| --- | --- |\n| 1 | 2.5 |"
