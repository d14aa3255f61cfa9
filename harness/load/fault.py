"""What goes wrong on purpose during a load, and when: `[[faults]]` of a profile.

[[faults]]
kind = "rpc-429"     # also: ledger-stall, database-failover, oracle-freeze
at_s = 10            # seconds after the crowd came
for_s = 5
share = 0.1          # of the RPC calls; rpc-429 only
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from harness.load.number import number_from

RPC_429, LEDGER_STALL = "rpc-429", "ledger-stall"
DATABASE_FAILOVER, ORACLE_FREEZE = "database-failover", "oracle-freeze"
#: Seconds that each kind may last: a call to the ledger is held for 30 s at most.
SECONDS_MAX = {RPC_429: 600, LEDGER_STALL: 25, DATABASE_FAILOVER: 60, ORACLE_FREEZE: 600}
FAULTS_MAX = 20


@dataclass(frozen=True)
class Fault:
    """One fault and its window, in seconds since the crowd came. `name` stands in thresholds."""

    kind: str
    name: str
    at_s: float
    for_s: float
    share: float = 1.0

    @property
    def until_s(self) -> float:
        return self.at_s + self.for_s


def faults_from(value: object, where: str, seconds: float) -> tuple[Fault, ...]:
    """The faults of a profile of so many seconds, in their order. Raises UsageError."""
    if not isinstance(value, list) or len(value) > FAULTS_MAX:
        raise UsageError(f"{where}: faults: give at most {FAULTS_MAX} [[faults]]")
    faults = [_fault(entry, f"{where}: faults {n}") for n, entry in enumerate(value, start=1)]
    for before, after in itertools.pairwise(faults):
        if after.at_s < before.until_s:
            raise UsageError(f"{where}: faults: {after.name!r} begins before {before.name!r} ends")
    if faults and faults[-1].until_s > seconds:
        raise UsageError(
            f"{where}: faults: {faults[-1].name!r} ends at {faults[-1].until_s:g} s, the load at "
            f"{seconds:g} s"
        )
    return tuple(faults)


def _fault(entry: dict[str, Any], where: str) -> Fault:
    if unknown := sorted(set(entry) - {"kind", "name", "at_s", "for_s", "share"}):
        raise UsageError(f"{where}: {unknown[0]}: unknown key")
    kind = str(entry.get("kind", ""))
    if kind not in SECONDS_MAX:
        raise UsageError(f"{where}: kind: must be one of {', '.join(SECONDS_MAX)}, is {kind!r}")
    if "share" in entry and kind != RPC_429:
        raise UsageError(f"{where}: share: only {RPC_429} has one")
    return Fault(
        kind,
        str(entry.get("name", kind)),
        at_s=number_from(entry.get("at_s"), "at_s", where, 1, 86_400),
        for_s=number_from(entry.get("for_s"), "for_s", where, 0.1, SECONDS_MAX[kind]),
        share=number_from(entry.get("share", 1.0), "share", where, 0.001, 1),
    )
