"""The certificate: an audit on one page, to be read, printed or filed."""

from __future__ import annotations

import math
import os
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

import harness.report
from harness.odds import charts
from harness.odds.audit import Audit

_TEMPLATES = Path(__file__).parent / "templates"
_REPORT_CSS = Path(harness.report.__file__).parent / "templates" / "report.css"


def write_certificate(audit: Audit, folder: Path, issued: datetime) -> Path:
    """Write `certificate.html` and `certificate.json` into a folder; returns the page's path.

    The page needs nothing else, follows the reader's light or dark, and prints on A4.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("certificate.html.j2").render(
        audit=audit,
        charts=charts,
        css=Markup(_REPORT_CSS.read_text(encoding="utf-8")),
        issued=issued.isoformat(timespec="seconds"),
        e_values=[shown_e(box.path[-1][1]) for box in audit.boxes],
    )
    path = folder / "certificate.html"
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8")
    os.replace(part, path)
    audit.save_json(folder / "certificate.json")
    return path


def shown_e(log_e: float) -> str:
    """An e-value in few characters, two of them digits: 3,900 and 0.0013."""
    power = log_e / math.log(10)
    return f"{float(f'{math.exp(log_e):.2g}'):,g}" if -3 < power < 4 else f"1e{power:.0f}"
