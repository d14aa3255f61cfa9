"""From the journal's lines to the numbers that the report shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from statistics import median_low
from typing import Any

Line = dict[str, Any]

#: Actions whose transactions the charts of limits show, in the order of the story.
_LIMITED_ACTIONS = ("mint", "reveal", "buyback")


@dataclass
class Scenario:
    """One scenario's lines and what they come to."""

    name: str
    lines: list[Line]

    def of(self, kind: str) -> list[Line]:
        return [line for line in self.lines if line["kind"] == kind]

    @property
    def head(self) -> Line:
        return next(iter(self.of("scenario")), {"title": self.name, "story": "", "config": {}})

    @property
    def verdict(self) -> Line:
        last = self.of("verdict")
        return last[-1] if last else {"outcome": "unfinished", "message": "it did not end"}

    @property
    def theme(self) -> str:
        return self.name.partition("::")[0].removeprefix("test_")

    @property
    def title(self) -> str:
        return str(self.head.get("title") or self.name)

    @property
    def checks(self) -> list[Line]:
        return self.of("check")


@dataclass(frozen=True)
class Spread:
    """Least, middle and greatest of some measurements, and the limit they must stay under."""

    action: str
    least: int
    middle: int
    greatest: int
    limit: int
    count: int


@dataclass(frozen=True)
class TierCount:
    tier: str
    seen: int
    total: int
    promised: float


@dataclass
class Figures:
    """Everything that the report's templates ask for."""

    run: Line
    scenarios: list[Scenario] = field(default_factory=list)

    @property
    def failed(self) -> list[Scenario]:
        return [
            one for one in self.scenarios if one.verdict["outcome"] not in ("passed", "skipped")
        ]

    @property
    def passed(self) -> bool:
        return bool(self.scenarios) and not self.failed and self.run.get("exit_code", 1) == 0

    @property
    def skipped(self) -> list[Scenario]:
        """What was left out, or broken off because it needs what is not there: proof of nothing."""
        return [one for one in self.scenarios if one.verdict["outcome"] == "skipped"]

    def skips(self) -> dict[str, int]:
        """How many scenarios were skipped, by the reason."""
        reasons = (str(one.verdict.get("message", "")) for one in self.skipped)
        return dict(Counter(reasons).most_common())

    def transactions(self) -> Iterable[Line]:
        return (line for one in self.scenarios for line in one.of("transaction"))

    def counted(self) -> dict[str, int]:
        """How often the things happened that a reader asks for first."""
        checks = [line for one in self.scenarios for line in one.checks]
        counts = _sums(line["counted"] for line in checks if line["verdict"] == "passed")
        refused = [
            line
            for one in self.scenarios
            for line in one.of("http")
            if line.get("error_code") is not None
        ]
        return {
            "scenarios": len(self.scenarios) - len(self.skipped),
            **({"skipped": len(self.skipped)} if self.skipped else {}),
            "mints": counts.get("minted", 0),
            "reveals": sum(len(one.of("reveal")) for one in self.scenarios),
            "buybacks": counts.get("paid", 0),
            "bot taxes": counts.get("taxed", 0),
            "refusals": len(refused),
            "transactions": counts.get("transactions", 0),
            "verdicts of judges": len(checks),
        }

    def compute_units(self) -> list[Spread]:
        """Compute units of landed transactions by action, against the limit they asked for."""
        return self._spread("compute_units", lambda line: line["compute_units_limit"])

    def sizes(self) -> list[Spread]:
        """Transaction sizes in bytes by action, against what fits into a packet."""
        return self._spread("size_bytes", lambda _: 1232)

    def _spread(self, what: str, limit: Any) -> list[Spread]:
        values: defaultdict[str, list[Line]] = defaultdict(list)
        for line in self.transactions():
            if line["outcome"] == "landed" and line["action"] in _LIMITED_ACTIONS:
                values[line["action"]].append(line)
        return [
            Spread(
                action,
                min(numbers := [line[what] for line in values[action]]),
                median_low(numbers),
                max(numbers),
                min(limit(line) for line in values[action]),
                len(numbers),
            )
            for action in _LIMITED_ACTIONS
            if values[action]
        ]

    def tiers(self) -> list[TierCount]:
        """How often each tier of the guide's box was seen, over all scenarios, beside what was
        promised. Box types that a scenario put on sale have odds of their own."""
        promised: dict[str, str] = {}
        seen: defaultdict[str, int] = defaultdict(int)
        for one in self.scenarios:
            promised.update(one.head["config"].get("odds", {}))
            others = {line["box"] for line in one.of("box")}
            for line in one.of("reveal"):
                if line.get("box") not in others:
                    seen[line["tier"]] += 1
        total = sum(seen.values())
        order = sorted(promised, key=lambda tier: -Decimal(promised[tier]))
        return [TierCount(tier, seen[tier], total, float(promised[tier])) for tier in order]

    def treasury(self) -> tuple[Scenario, list[Line]] | None:
        """The scenario in which the treasury moved most often, with its balances."""
        moved = [(one, one.of("treasury")) for one in self.scenarios]
        best = max(moved, key=lambda pair: len(pair[1]), default=None)
        return best if best is not None and len(best[1]) > 1 else None

    def life_cycle(self) -> tuple[Scenario, str, list[Line]] | None:
        """The plainest whole life in the run: an NFT minted, revealed, quoted and sold, told in
        the fewest steps."""
        whole = []
        for one in self.scenarios:
            for nft in dict.fromkeys(line["nft"] for line in one.of("reveal")):
                steps = [
                    line
                    for line in one.lines
                    if line.get("nft") == nft and line["kind"] in ("transaction", "http", "rows")
                ]
                sent = [line for line in steps if line["kind"] == "transaction"]
                landed = {line["action"] for line in sent if line["outcome"] == "landed"}
                quoted = any("calculate" in line.get("route", "") for line in steps)
                plain = all("slot" in line for line in sent)  # nothing that the ledger refused
                if plain and landed >= {"mint", "reveal", "buyback"} and quoted:
                    whole.append((one, nft, steps))
        return min(whole, key=lambda found: len(found[2]), default=None)


def collect(lines: Iterable[Line], run: Line) -> Figures:
    """Sort the journal's lines by scenario; failed scenarios come first."""
    by_name: dict[str, list[Line]] = {}
    for line in lines:
        by_name.setdefault(line["scenario"], []).append(line)
    figures = Figures(run, [Scenario(name, found) for name, found in by_name.items()])
    figures.scenarios.sort(key=lambda one: (one not in figures.failed, one.name))
    return figures


def seconds_between(first: Line, later: Line) -> float:
    """Seconds of the testbed's clock between two lines."""
    moments = [datetime.fromisoformat(line["at"]) for line in (first, later)]
    return (moments[1] - moments[0]).total_seconds()


def _sums(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: defaultdict[str, int] = defaultdict(int)
    for count in counts:
        for name, number in count.items():
            total[name] += number
    return dict(total)
