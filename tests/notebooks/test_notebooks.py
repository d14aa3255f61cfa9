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


def outputs(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """What a notebook shows when it is run from top to bottom, as data by MIME type."""
    NotebookClient(
        book,
        timeout=_CELL_SECONDS_MAX,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    ).execute()
    return [output.get("data", {}) for cell in book.cells for output in cell.get("outputs", [])]


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_it_asks_and_decides(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    assert "**Question.**" in book.cells[0].source
    shown = outputs(book)
    figures = [one for one in shown if one.get("text/plain", "").startswith("<Figure")]
    assert figures
    assert all("image/png" in one for one in figures), "a figure is shown as a picture"
    decision = shown[-1]["text/markdown"]
    assert decision.startswith("**Decision.**")
    assert "nan" not in decision


@pytest.mark.parametrize(
    ("number", "changes", "decided"),
    [
        (
            1,
            {'"0.85"), Decimal(200)': '"0.95"), Decimal(150)',
             '("mystery-box", PROMISED_ODDS)': '.parse("Common=0.9,Rare=0.1")'},
            "At 150 USD a SOL the house keeps",
        ),
        (6, {"20_000, 0.01, 1 / 3": "2_000, 0.001, 0"}, "2,000 of them at level 0.001"),
    ],
)  # fmt: skip
def test_other_numbers_change_what_is_decided(
    number: int, changes: dict[str, str], decided: str
) -> None:
    """Text that told the guide's numbers would tell them of any others."""
    book = nbformat.read(BOOKS[number - 1], as_version=4)
    cell = book.cells[1]
    for old, new in changes.items():
        assert old in cell.source
        cell.source = cell.source.replace(old, new)
    assert decided in outputs(book)[-1]["text/markdown"]
