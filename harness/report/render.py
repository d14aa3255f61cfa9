"""Writes `report.html`, `summary.md` and `summary.json` into a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from harness.journal import read_journal
from harness.report import charts
from harness.report.figures import Figures, collect, seconds_between

_TEMPLATES = Path(__file__).parent / "templates"
_SUMMARY_BYTES_MAX = 1024 * 1024  # GitHub cuts a job summary above this
_LAMPORTS_PER_SOL = 1_000_000_000


def render(folder: Path) -> Path:
    """Write the report of a run; returns the path of `report.html`.

    Reads `run.json` and `journal.jsonl`; either may be empty or missing, since a run that broke
    early needs its report most.
    """
    run_file, journal = folder / "run.json", folder / "journal.jsonl"
    run = json.loads(run_file.read_text(encoding="utf-8")) if run_file.exists() else {}
    figures = collect(read_journal(journal) if journal.exists() else (), run)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["sol"] = _sol
    environment.filters["cell"] = _markdown_cell
    values = {"figures": figures, "run": run, "charts": charts, "since": seconds_between,
              "css": Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8"))}  # fmt: skip
    report = folder / "report.html"
    _write(report, environment.get_template("report.html.j2").render(values))
    summary = environment.get_template("summary.md.j2").render(values)
    _write(folder / "summary.md", _cut(summary))
    _write(folder / "summary.json", json.dumps(_as_json(figures), indent=2) + "\n")
    return report


def _as_json(figures: Figures) -> dict[str, Any]:
    return {
        "passed": figures.passed,
        "run": figures.run,
        "counted": figures.counted(),
        "scenarios": [
            {
                "name": one.name,
                "title": one.title,
                "outcome": one.verdict["outcome"],
                "message": one.verdict.get("message", ""),
                "replay": one.verdict.get("replay"),
                "findings": [finding for check in one.checks for finding in check["findings"]],
            }
            for one in figures.scenarios
        ],
        "tiers": [vars(one) for one in figures.tiers()],
        "compute_units": [vars(one) for one in figures.compute_units()],
        "size_bytes": [vars(one) for one in figures.sizes()],
    }


def _sol(lamports: int) -> str:
    """Lamports as SOL, exact, with a sign."""
    whole = f"{lamports / _LAMPORTS_PER_SOL:+.9f}"
    return whole.rstrip("0").rstrip(".") + " SOL"


def _markdown_cell(text: str) -> str:
    """A text that cannot break out of a Markdown table's cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _cut(text: str) -> str:
    note = "\n\n(cut: the whole is in report.html)\n"
    if len(text.encode()) <= _SUMMARY_BYTES_MAX:
        return text
    return text.encode()[: _SUMMARY_BYTES_MAX - len(note)].decode(errors="ignore") + note


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
