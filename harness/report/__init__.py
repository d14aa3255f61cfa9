"""What a person reads afterwards."""

from pathlib import Path


def render(folder: Path) -> Path:
    return folder / "report.html"
