"""Two runs side by side: what is newly broken, what got slower, what costs more compute units."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError

#: Below this a difference in seconds is the machine's mood.
_SECONDS_MIN = 0.5
_SLOWER_FACTOR = 1.5
_UNITS_FACTOR = 1.05


@dataclass(frozen=True)
class Comparison:
    """Each entry is a line for a person. Only new failures make a comparison fail."""

    new_failures: tuple[str, ...]
    mended: tuple[str, ...]
    gone: tuple[str, ...]
    slower: tuple[str, ...]
    dearer: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.new_failures


def read_summary(folder: Path) -> dict[str, Any]:
    """A run's summary.json. Raises UsageError if the folder is no run."""
    try:
        content = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        dict(content["run"])
        list(content["scenarios"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{folder}: is not the folder of a run (no summary.json in it)") from None
    return dict(content)


def compare(earlier: dict[str, Any], later: dict[str, Any]) -> Comparison:
    """What changed from the earlier run to the later one."""
    before = {one["name"]: one["outcome"] for one in earlier["scenarios"]}
    after = {one["name"]: one["outcome"] for one in later["scenarios"]}
    failed = [name for name, outcome in after.items() if outcome not in ("passed", "skipped")]
    seconds = earlier["run"].get("seconds", {}), later["run"].get("seconds", {})
    units = [
        {one["action"]: one["greatest"] for one in run.get("compute_units", [])}
        for run in (earlier, later)
    ]
    return Comparison(
        new_failures=tuple(
            f"{name} ({before.get(name, 'not played')} before)"
            for name in failed
            if before.get(name) in ("passed", "skipped", None)
        ),
        mended=tuple(
            name
            for name, outcome in after.items()
            if outcome == "passed" and before.get(name) not in ("passed", "skipped", None)
        ),
        gone=tuple(sorted(set(before) - set(after))),
        slower=tuple(
            f"{name}: {seconds[0][name]:.1f} s, now {now:.1f} s"
            for name, now in seconds[1].items()
            if name in seconds[0]
            and now > seconds[0][name] * _SLOWER_FACTOR
            and now - seconds[0][name] > _SECONDS_MIN
        ),
        dearer=tuple(
            f"{action}: {units[0][action]} compute units, now {now}"
            for action, now in units[1].items()
            if action in units[0] and now > units[0][action] * _UNITS_FACTOR
        ),
    )
