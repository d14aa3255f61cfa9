"""What the backend bears, as ratios within one run: the knee of reveals and of whole sell-backs
against the raw ledger, a soak at 80 % of the knee, twice the knee, and what a request costs with
100,000 rows in the database against an empty one."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from solders.pubkey import Pubkey

from harness.bench.replay import replay
from harness.errors import HarnessError
from harness.ledger.embedded import EmbeddedLedger
from harness.load.history import ROWS_AN_NFT
from harness.load.locust_process import profile_text
from harness.load.measurements import recovery_s, value_of
from harness.load.play import LoadRequest, LoadResult, play
from harness.load.profile import profile_from
from harness.load.records import OK
from harness.load.report import write_report
from harness.load.thresholds import parse_threshold
from harness.testbed import Testbed
from programs.buyback import client as buyback
from programs.candy_guard import client as candy_guard
from programs.token_metadata import client as token_metadata

NFTS_BEFORE = 20_000
_SOAK_SHARE, _CALM_SHARE, _OVERLOAD = 0.8, 0.4, 2.0
_CALM_SECONDS, _OVERLOAD_SECONDS, _AFTER_SECONDS = 10, 10, 15
_COST_RATE, _COST_SECONDS = 8, 20
_WARM_UP_SECONDS = 10.0
_IN_FLIGHT_MAX = 1000


@dataclass(frozen=True)
class KneeFigures:
    """The highest rate that held at a p95 under 250 ms, and the ledger's own in the same run.
    If it was not `broken`, the search ended before the backend did: the knee is higher."""

    knee_a_second: float
    broken: bool
    raw_ledger_a_second: float

    @property
    def ratio(self) -> float:
        return self.knee_a_second / self.raw_ledger_a_second

    @property
    def told(self) -> str:
        return f"{self.knee_a_second:.1f}" if self.broken else f">= {self.knee_a_second:.1f}"


@dataclass(frozen=True)
class LoadFigures:
    """`errors` and `shed` are shares of all requests; `void` says where the generator was the
    limit, by part. A request's cost is the backend's processor time, which other work on the
    machine does not change."""

    reveals: KneeFigures
    sales: KneeFigures
    soak_minutes: float
    soak_errors: float
    soak_shed: float
    overload_shed: float
    overload_errors: float
    recovery_s: float | None
    empty_cost_ms: float
    full_cost_ms: float
    empty_p50_ms: float
    full_p50_ms: float
    void: dict[str, str]

    def rows(self) -> list[tuple[str, str]]:
        recovery = "never" if self.recovery_s is None else f"{self.recovery_s:.0f}"
        rows = f"{NFTS_BEFORE * ROWS_AN_NFT:,} rows"
        return [
            ("reveals a second at p95 < 250 ms", self.reveals.told),
            ("the same updates straight into LiteSVM", f"{self.reveals.raw_ledger_a_second:.0f}"),
            ("ratio", f"{self.reveals.ratio:.2f}"),
            ("whole sell-backs a second at p95 < 250 ms", self.sales.told),
            ("the same sales straight into LiteSVM", f"{self.sales.raw_ledger_a_second:.0f}"),
            ("ratio", f"{self.sales.ratio:.2f}"),
            (f"errors at 80 % of the knee, {self.soak_minutes:g} min", f"{self.soak_errors:.2%}"),
            ("turned away in them", f"{self.soak_shed:.2%}"),
            ("turned away at twice the knee", f"{self.overload_shed:.1%}"),
            ("errors at twice the knee", f"{self.overload_errors:.2%}"),
            ("recovery after it, s", recovery),
            ("a request's processor time, empty database, ms", f"{self.empty_cost_ms:.1f}"),
            (f"with {rows}, ms", f"{self.full_cost_ms:.1f}"),
            ("ratio", f"{self.full_cost_ms / self.empty_cost_ms:.2f}"),
            ("p50 of a request, empty database, ms", f"{self.empty_p50_ms:.1f}"),
            (f"with {rows}, ms", f"{self.full_p50_ms:.1f}"),
            ("ratio", f"{self.full_p50_ms / self.empty_p50_ms:.2f}"),
            *((f"VOID, {part}", why) for part, why in self.void.items()),
        ]


def measure_load(
    minutes: float, runs: Path, seed: str, tell: Callable[[str, int, int], None]
) -> LoadFigures:
    """Play all of it. Raises HarnessError if a judge found damage, or no rate held."""
    void: dict[str, str] = {}

    def run(
        part: str, text: str, look_after: Callable[[Testbed], None] = lambda _: None
    ) -> LoadResult:
        result = play(
            LoadRequest(
                profile_from(tomllib.loads(text), part), text, runs, seed, look_after=look_after,
                tell=lambda what, done, of: tell(f"{part}: {what}", done, of),
            )
        )  # fmt: skip
        write_report(result)
        if wrong := [one.judge for one in result.judgements if not one.passed]:
            raise HarnessError(f"{part}: found wrong by {', '.join(wrong)}; see {result.folder}")
        if result.void is not None:
            void[part] = result.void
        return result

    reveals = _knee("capacity", token_metadata.PROGRAM_ID, run)
    sales = _knee("capacity-sell", buyback.PROGRAM_ID, run)
    knee = reveals.knee_a_second
    soak = run("soak", _stages("reveal = 1", [("soak", minutes * 60, knee * _SOAK_SHARE)]))
    overload = run(
        "twice the knee",
        _stages(
            "reveal = 1",
            [
                ("calm", _CALM_SECONDS, knee * _CALM_SHARE),
                ("overload", _OVERLOAD_SECONDS, knee * _OVERLOAD),
                ("after", _AFTER_SECONDS, knee * _CALM_SHARE),
            ],
        ),
    )
    everything = "status = 1\nreveal = 2\nlook = 2\nsell = 2"
    steady = [("steady", float(_COST_SECONDS), float(_COST_RATE))]
    empty = run("empty database", _stages(everything, steady))
    full = run("full database", _stages(everything, steady, f"nfts_sold_before = {NFTS_BEFORE}"))
    recovered = recovery_s(overload.outcome.records, overload.profile, "overload")
    return LoadFigures(
        reveals=reveals,
        sales=sales,
        soak_minutes=minutes,
        soak_errors=_measured(soak, "errors < 1 %"),
        soak_shed=_measured(soak, "shed < 1 %"),
        overload_shed=_measured(overload, "shed < 1 % in overload"),
        overload_errors=_measured(overload, "errors < 1 %"),
        recovery_s=recovered if recovered is not None and recovered < _AFTER_SECONDS else None,
        empty_cost_ms=_cost_ms(empty),
        full_cost_ms=_cost_ms(full),
        empty_p50_ms=_measured(empty, "p50 < 1 s") * 1000,
        full_p50_ms=_measured(full, "p50 < 1 s") * 1000,
        void=void,
    )


def _knee(name: str, program: Pubkey, run: Callable[..., LoadResult]) -> KneeFigures:
    """A capacity search, and the rate at which its transactions go into a bare machine."""
    raw: list[float] = []

    def look_after(bed: Testbed) -> None:
        assert isinstance(bed.ledger, EmbeddedLedger)
        chain = bed.ledger.chain
        seconds = replay(chain, bed.authority_key.pubkey())
        for record, taken in zip(chain.history.values(), seconds, strict=True):
            called = record.transaction.message.account_keys
            if program in called and candy_guard.PROGRAM_ID not in called:
                raw.append(taken)

    result = run(name, profile_text(name), look_after)
    if result.knee is None or result.knee.rate is None:
        raise HarnessError(f"{name}: not even the first rate held; see {result.folder}")
    return KneeFigures(result.knee.rate, result.knee.broken_at is not None, 1 / fmean(raw))


def _stages(mix: str, stages: list[tuple[str, float, float]], more: str = "") -> str:
    """A profile of constant arrivals, after warming up at half of their rate."""
    lines = ['arrival = "constant"', f"in_flight_max = {_IN_FLIGHT_MAX}", more, "[mix]", mix]
    warm_up = ("warm-up", _WARM_UP_SECONDS, stages[0][2] / 2)
    for name, seconds, rate in (warm_up, *stages):
        lines += ["[[stages]]", f'name = "{name}"', f"seconds = {seconds}", f"rate = {rate}"]
        lines += ["warm_up = true"] if name == "warm-up" else []
    return "\n".join(lines) + "\n"


def _measured(result: LoadResult, threshold: str) -> float:
    value = value_of(parse_threshold(threshold), result.outcome.records, result.profile)
    if value is None:
        raise HarnessError(f"{result.profile.name}: nothing was measured; see {result.folder}")
    return value


def _cost_ms(result: LoadResult) -> float:
    """The backend's processor time for an answered request."""
    samples = [
        one for one in result.watch.of("backend")
        if 0 <= one.at_s - result.outcome.began <= result.profile.seconds
    ]  # fmt: skip
    used = sum(
        after.cpu_share_all * (after.at_s - before.at_s) for before, after in pairwise(samples)
    )
    # A sale's row stands for its two requests, which have rows of their own.
    records = result.outcome.records
    answered = int(((records.outcome == OK) & (records.name != "sell")).sum())
    return used / max(answered, 1) * 1000
