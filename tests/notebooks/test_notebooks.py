"""Each notebook runs from top to bottom in a kernel of its own, and ends with a decision."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
_CELL_SECONDS_MAX = 240


def test_all_six_are_there() -> None:
    assert [path.name[:2] for path in BOOKS] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_it_asks_and_decides(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    assert "**Question.**" in book.cells[0].source
    NotebookClient(
        book,
        timeout=_CELL_SECONDS_MAX,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    ).execute()
    pictures = [
        output
        for cell in book.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert pictures
    decision = book.cells[-1].outputs[-1].data["text/markdown"]
    assert decision.startswith("**Decision.**")
    assert "nan" not in decision
