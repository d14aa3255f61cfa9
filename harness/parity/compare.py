"""Two run folders of the same suite and seed, line by line and byte by byte."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from harness.journal import read_journal
from harness.parity.difference import Difference
from harness.parity.snapshot import AccountState, read_accounts
from harness.parity.units import MARK, calls_in, within_price

#: Fields of a journal's line that say when, not what.
_WHEN = ("seq", "at", "scenario", "slot")
_MISSING = "nothing"


@dataclass
class Comparison:
    """What was compared, counted, and all differences."""

    counted: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)


def compare_runs(embedded: Path, validator: Path) -> Comparison:
    """Compare journals and accounts of two run folders."""
    found = Comparison()
    left, right = _scenarios(embedded, "scenarios"), _scenarios(validator, "scenarios")
    for name in sorted(left.keys() | right.keys()):
        if name not in left or name not in right:
            told = "told" if name in left else _MISSING, "told" if name in right else _MISSING
            found.differences.append(Difference(name, "scenario", *told))
            continue
        found.counted["scenarios"] += 1
        _compare_journals(name, left[name], right[name], found)
    left, right = _scenarios(embedded, "accounts"), _scenarios(validator, "accounts")
    for name in sorted(left.keys() & right.keys()):
        _compare_accounts(name, read_accounts(left[name]), read_accounts(right[name]), found)
    return found


def _scenarios(folder: Path, kind: str) -> dict[str, Path]:
    return {path.stem: path for path in sorted((folder / kind).glob("*.json*"))}


def _compare_journals(name: str, left: Path, right: Path, found: Comparison) -> None:
    pairs = zip_longest(list(read_journal(left)), list(read_journal(right)))
    calls_max = 0  # the judges' largest figure is that of a transaction that came before
    for number, (ours, theirs) in enumerate(pairs, start=1):
        if ours is None or theirs is None or ours["kind"] != theirs["kind"]:
            found.differences.append(
                Difference(f"{name} line {number}", "journal", _title(ours), _title(theirs))
            )
            return  # from here on lines do not belong together
        found.counted[f"journal lines: {ours['kind']}"] += 1
        calls = calls_in(ours.get("logs") or ())
        calls_max = max(calls_max, calls)
        at = _Place(f"{name} line {number}", calls_max if ours["kind"] == "check" else calls)
        for key in sorted((ours.keys() | theirs.keys()) - set(_WHEN)):
            _compare(at, f"{_title(ours)}: {key}", ours.get(key), theirs.get(key), found)


@dataclass(frozen=True)
class _Place:
    """A journal's line, and how many calls from program to program its transaction made; for a
    judge's line the most that any transaction before it made."""

    where: str
    calls: int


def _compare(at: _Place, what: str, ours: Any, theirs: Any, found: Comparison) -> None:
    """Walk into dictionaries and lists of the same length; compare the rest."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            _compare(at, f"{what}.{key}", ours.get(key), theirs.get(key), found)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for one, other in zip(ours, theirs, strict=True):
            _compare(at, what, one, other, found)
    else:
        found.counted["journal values"] += 1
        if what.endswith("compute_units"):
            found.counted["compute unit figures"] += 1
        if what.endswith(": logs"):
            found.counted["program log lines"] += 1
        if ours != theirs:
            units = what.endswith(("compute_units", "compute_units_max", ": logs"))
            mark = MARK if units and within_price(ours, theirs, at.calls) else ""
            found.differences.append(Difference(at.where, what + mark, str(ours), str(theirs)))


def _title(line: dict[str, Any] | None) -> str:
    """What a journal's line is about."""
    if line is None:
        return "the end"
    about = line.get("action") or line.get("route") or line.get("judge") or ""
    return f"{line['kind']} {about}".strip()


def _compare_accounts(
    name: str, left: dict[Any, AccountState], right: dict[Any, AccountState], found: Comparison
) -> None:
    for address in sorted(left.keys() | right.keys(), key=str):
        ours, theirs = left.get(address), right.get(address)
        known = (ours or theirs or AccountState("", 0, "", False, b"")).name or "an account"
        if ours is None or theirs is None:
            there = f"{known}: {'there' if ours else 'not there'}"
            other = f"{known}: {'there' if theirs else 'not there'}"
            found.differences.append(Difference(name, f"account {known}: exists", there, other))
            continue
        found.counted["accounts"] += 1
        found.counted["account bytes"] += len(ours.data)
        for key in ("lamports", "owner", "executable"):
            one, other = getattr(ours, key), getattr(theirs, key)
            if one != other:
                found.differences.append(
                    Difference(name, f"account {known}: {key}", str(one), str(other))
                )
        if ours.data != theirs.data:
            found.differences.append(
                Difference(name, f"account {known}: data", *_first_bytes(ours.data, theirs.data))
            )


def _first_bytes(ours: bytes, theirs: bytes) -> tuple[str, str]:
    """Where two contents part, and eight bytes from there."""
    pairs = zip(ours, theirs, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
    return _bytes_from(ours, at), _bytes_from(theirs, at)


def _bytes_from(data: bytes, at: int) -> str:
    return f"{len(data)} bytes, from {at}: {data[at : at + 8].hex() or 'nothing'}"
