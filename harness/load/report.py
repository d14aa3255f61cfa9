"""What a person reads after a load: one HTML page, the same figures as JSON, a few lines for the
terminal; beside them an earlier run, where one is given to compare with."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from harness.errors import UsageError
from harness.load.charts import line_chart
from harness.load.measurements import PERCENTILES, Knee, Row, Verdict, recovery_s
from harness.load.play import LoadResult
from harness.load.profile import ALL
from harness.load.records import DROPPED, OK, Records
from harness.load.series import (
    arrivals_and_answers,
    backend_mean,
    latency,
    memory,
    open_files,
    processor,
    queues,
    served,
)
from harness.run.folder import write_json

FILE = "load.json"
_FINDINGS_MAX = 3


@dataclass(frozen=True)
class Report:
    path: Path
    lines: list[str]


def compared(folder: Path) -> dict[str, Any]:
    """An earlier run's figures. Raises UsageError if there are none in the folder."""
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(f"--compare {folder}: holds no {FILE} of an earlier load") from None
    if not isinstance(found, dict):
        raise UsageError(f"--compare {folder}: {FILE} is not one of this program's")
    return found


def write_report(result: LoadResult, earlier: dict[str, Any] | None = None) -> Report:
    """Write load.html and load.json into the run's folder."""
    figures = summary(result)
    write_json(result.folder / FILE, figures)
    environment = Environment(
        loader=PackageLoader("harness.load"), autoescape=True, trim_blocks=True
    )
    environment.filters["ms"] = lambda seconds: (
        "" if math.isnan(seconds) else f"{seconds * 1000:.0f}"
    )
    environment.filters["recovered"] = lambda seconds: shown("recovery", seconds)
    styles = Environment(loader=PackageLoader("harness.report"))  # the same page style
    profile, records = result.profile, result.outcome.records
    played = profile.cut(result.outcome.played_s)
    last_s = float(records.finished_s.max()) if len(records) else 0.0
    seconds = max(last_s, result.outcome.played_s, 1.0)
    ends = np.cumsum([stage.seconds for stage in played.stages])[:-1].tolist()
    samples, began = result.watch.samples, result.outcome.began
    page = environment.get_template("load.html.j2").render(
        css=Markup(  # our own two files
            styles.loader.get_source(styles, "report.css")[0]  # type: ignore[union-attr]  # just set
            + environment.loader.get_source(environment, "load.css")[0]  # type: ignore[union-attr]
        ),
        profile=profile,
        headline=headline(result),
        good=result.exit_code == 0,
        reasons=_reasons(result),
        started=f"{result.started:%Y-%m-%d %H:%M:%S} UTC",
        crowd="open arrival, " + profile.arrival if profile.is_open else "closed crowd",
        where=result.where,
        fault_rows=[(*one, recovery_s(records, played, one[0])) for one in result.faults],
        figures=_figures(result),
        thresholds=_thresholds(result, earlier),
        earlier=earlier,
        judgements=result.judgements,
        latency_note=(
            "Latency counts from when each request was meant to start, so a stall cannot hide."
            if profile.is_open
            else "A closed crowd waits for its answers: while the backend stalls it asks less, and "
            "latency looks better than it was."
        ),
        charts={
            name: line_chart(lines, title, unit, seconds, ends, result.faults)
            for name, title, unit, lines in (
                ("arrivals", "requests", "/s", arrivals_and_answers(records, seconds)),
                (
                    "latency",
                    "latency",
                    "ms",
                    latency(records, seconds) + backend_mean(result.over_time, began),
                ),
                ("served", "as the backend counted", "/s", served(result.over_time, began)),
                ("queues", "under way in the backend", "", queues(result.over_time, began)),
                ("processor", "processor", "%", processor(samples, began)),
                ("memory", "memory", "MB", memory(samples, began)),
                ("files", "open files", "", open_files(samples, began)),
            )
            if lines
        },
        rows=result.rows,
        errors=_errors(records),
        server=result.server,
        command=figures["command"],
    )
    path = result.folder / "load.html"
    path.write_text(page, encoding="utf-8")
    return Report(path, _lines(result))


def summary(result: LoadResult) -> dict[str, Any]:
    """Everything that was found, for machines."""
    return {
        "format": 1,
        "profile": result.profile.name,
        "command": f"harness load {result.profile.name}",
        "arrival": result.profile.arrival,
        "started": result.started.isoformat(timespec="seconds"),
        "exit_code": result.exit_code,
        "headline": headline(result),
        "void": result.void,
        "ended_early": result.outcome.ended_early,
        "minting": asdict(result.minted) | {"a_second": result.minted.a_second},
        "knee": None if result.knee is None else {
            "rate": result.knee.rate,
            "broken_at": result.knee.broken_at,
            "broken": [verdict.threshold.text for verdict in result.knee.broken],
        },
        "faults": [
            {"name": name, "from_s": begin, "until_s": end,
             "recovery_s": _finite(recovery_s(result.outcome.records, result.profile, name))}
            for name, begin, end in result.faults
        ],
        "server": {one.name: _finite(one.after) for one in result.server},
        "thresholds": [
            {"text": one.threshold.text, "value": _finite(one.value), "holds": one.holds}
            for one in result.verdicts
        ],
        "judgements": [
            {"judge": one.judge, "passed": one.passed, "findings": list(one.findings),
             "counted": one.counted}
            for one in result.judgements
        ],
        "rows": [_row(row) for row in result.rows],
    }  # fmt: skip


def _row(row: Row) -> dict[str, Any]:
    times = {f"p{p}_s": t for p, t in zip(PERCENTILES, row.percentiles_s, strict=True)}
    found = {**asdict(row), **times}
    del found["percentiles_s"]
    return {key: _finite(v) if isinstance(v, float) else v for key, v in found.items()}


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def headline(result: LoadResult) -> str:
    """The verdict in one line."""
    if result.outcome.interrupted:
        return "Interrupted; what was measured is kept"
    if any(not one.passed for one in result.judgements):
        return "WRONG: the judges found damage after the load"
    if result.void is not None:
        return "VOID: the generator was the limit, not the backend"
    if result.knee is not None:
        return _capacity(result.knee)
    crossed = sum(not one.holds for one in result.verdicts)
    if crossed:
        return f"{crossed} of {len(result.verdicts)} thresholds CROSSED"
    return "Passed" if result.outcome.ended_early is None else "Passed, as far as it was played"


def _capacity(found: Knee) -> str:
    if found.rate is None:
        return "No rate held: the thresholds were broken at the first step"
    end = "; never broken" if found.broken_at is None else f"; broken at {found.broken_at:.4g}"
    return f"Capacity: {found.rate:.4g} arrivals a second{end}"


def _reasons(result: LoadResult) -> list[str]:
    found = [] if result.void is None else [result.void]
    if result.outcome.ended_early is not None:
        found.append(f"ended early: {result.outcome.ended_early}")
    if result.knee is not None:
        found += [f"broke first: {_told(verdict)}" for verdict in result.knee.broken]
    else:
        found += [_told(verdict) for verdict in result.verdicts if not verdict.holds]
    for judgement in result.judgements:
        found += [f"{judgement.judge}: {one}" for one in judgement.findings[:_FINDINGS_MAX]]
    return found


def _told(verdict: Verdict) -> str:
    return f"{verdict.threshold.text}: {shown(verdict.threshold.measure, verdict.value)}"


def shown(measure: str, value: float | None) -> str:
    """A measured value as its threshold writes it."""
    if value is None:
        return "nothing was measured"
    if math.isinf(value):
        return "not within the run"
    if measure in ("errors", "shed"):
        return f"{value:.2%}"
    if measure == "rate":
        return f"{value:.1f} /s"
    if measure == "dropped arrivals":
        return f"{value:.0f}"
    return f"{value * 1000:.0f} ms" if value < 10 else f"{value:.1f} s"


def _thresholds(result: LoadResult, earlier: dict[str, Any] | None) -> list[dict[str, Any]]:
    before = {one["text"]: one["value"] for one in (earlier or {}).get("thresholds", [])}
    return [
        {
            "text": one.threshold.text,
            "value": shown(one.threshold.measure, one.value),
            "holds": one.holds,
            "earlier": shown(one.threshold.measure, before.get(one.threshold.text)),
        }
        for one in result.verdicts
    ]


def _figures(result: LoadResult) -> list[tuple[str, str]]:
    records = result.outcome.records
    found = [
        ("requests", f"{len(records)}"),
        ("answered", f"{int((records.outcome == OK).sum())}"),
        ("dropped", f"{int((records.outcome == DROPPED).sum())}"),
        ("NFTs minted before, a second", f"{result.minted.a_second:.0f}"),
    ]
    if result.knee is not None and result.knee.rate is not None:
        found.insert(0, ("arrivals a second held", f"{result.knee.rate:.4g}"))
    return found


def _errors(records: Records) -> list[tuple[str, str, int, str, int]]:
    bad = records.where(records.outcome != OK)
    counted = Counter(
        zip(
            bad.name.tolist(), bad.outcome.tolist(), bad.status.tolist(), bad.code.tolist(),
            strict=True,
        )
    )  # fmt: skip
    return [(*key, times) for key, times in counted.most_common(50)]


def _lines(result: LoadResult) -> list[str]:
    """The verdict for a terminal: the headline, its reasons, a row for each name."""
    lines = [headline(result), *(f"  {reason}" for reason in _reasons(result))]
    for row in result.rows:
        if row.stage != ALL:
            continue
        p50, _, p95, _ = row.percentiles_s
        times = "" if math.isnan(p50) else f"p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"
        lines.append(
            f"  {row.name:8} {row.ok:6} ok, {row.ok_a_second:6.1f} a second, {row.failed} failed, "
            f"{row.shed} shed, {row.dropped} dropped; {times}"
        )
    return lines
