"""Plays a load profile from start to verdict: stock up, let the crowd in, watch it, judge."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from solders.pubkey import Pubkey

from harness.checks import Judgement
from harness.errors import (
    EXIT_ENVIRONMENT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_PASSED,
    EXIT_THRESHOLD,
)
from harness.ledger.cluster import place
from harness.load.aftermath import judge_limits, judge_resources
from harness.load.crowd import Outcome, let_in
from harness.load.economy import Economy, Parts, Visit, open_economy
from harness.load.history import add_history, take_history_away
from harness.load.locust_process import Elsewhere, require_locust
from harness.load.measurements import Knee, Row, Verdict, knee, table, verdicts
from harness.load.plan import PROFILE_FILE, STOCK_FILE, Plan, write_stock
from harness.load.profile import Profile
from harness.load.server_metrics import FILE as METRICS_FILE
from harness.load.server_metrics import MetricsOverTime, ServerMetric, changed, read_metrics
from harness.load.stock import Minted, mint_stock, new_wallet, reveal_stock, stock_items
from harness.load.watch import FILE as PROCESSES_FILE
from harness.load.watch import OWN_GROUP, Watch, saturation, workers_told
from harness.run.folder import new_run_folder
from harness.testbed import Testbed

_SETTLE_SECONDS_MAX = 90.0  # a quote that was sent may live as long as its blockhash
_SETTLE_LOOK_SECONDS = 0.5
_JOURNEY_WALLETS = 50
_JOURNEY_LAMPORTS = 1_000 * 10**9

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LoadRequest:
    """What a person asked for. `tell(what, done, of)` is called as it goes on."""

    profile: Profile
    #: As it is written; lies beside the results.
    profile_text: str
    runs: Path
    seed: str = "1"
    web_port: int | None = None
    #: A backend of our own, or one that somebody else runs.
    place: Visit | Parts = field(default_factory=Parts)
    #: Workers on other machines, beside those of the profile.
    elsewhere: Elsewhere | None = None
    tell: Tell = lambda what, done, of: None
    #: Called once judged, while everything still stands.
    look_after: Callable[[Testbed], None] = lambda bed: None


@dataclass(frozen=True)
class LoadResult:
    """What came of it. `void` says why nothing was learnt, where the generator was the limit."""

    profile: Profile
    folder: Path
    started: datetime
    outcome: Outcome
    rows: list[Row]
    verdicts: list[Verdict]
    judgements: list[Judgement]
    watch: Watch
    minted: Minted
    server: list[ServerMetric]
    over_time: MetricsOverTime
    #: (name, from, until) of faults as they happened, in seconds since the crowd came.
    faults: list[tuple[str, float, float]]
    knee: Knee | None
    void: str | None
    #: Against what, for the page.
    where: str

    @property
    def exit_code(self) -> int:
        """130 interrupted, 1 a judge found something, 3 void, 99 a threshold was crossed, 0 well.

        What the judges find comes before what the clock says: fast and wrong is wrong.
        """
        if self.outcome.interrupted:
            return EXIT_INTERRUPTED
        if any(not judgement.passed for judgement in self.judgements):
            return EXIT_FAILED
        if self.void is not None:
            return EXIT_ENVIRONMENT
        if self.knee is not None:
            return EXIT_THRESHOLD if self.knee.rate is None else EXIT_PASSED
        held = all(verdict.holds for verdict in self.verdicts)
        return EXIT_PASSED if held else EXIT_THRESHOLD


def play(request: LoadRequest) -> LoadResult:
    """Play a profile. Raises StartError if a part does not start, ModuleNotFoundError if Locust is
    not installed."""
    require_locust()
    profile = request.profile
    started = datetime.now(UTC)
    folder = new_run_folder(request.runs, started)
    sealed, revealed = profile.stock_needed()
    journeys = round(profile.arrivals_expected() * profile.share("journey") * 2) + 10
    stock = folder / STOCK_FILE
    try:
        with open_economy(
            profile, request.seed, folder, sealed + revealed + journeys, request.place
        ) as economy:
            bed, tell = economy.bed, request.tell
            if profile.nfts_sold_before:
                add_history(bed.engine, profile.nfts_sold_before)
            held, minted = mint_stock(bed, sealed + revealed, tell)
            reveal_stock(
                held[:revealed], economy.base_url, bed.box_id, forwarded=profile.rate_limits,
                sign_in=profile.sign_in, tell=tell,
            )  # fmt: skip
            wallets = (
                [new_wallet(bed, _JOURNEY_LAMPORTS) for _ in range(_JOURNEY_WALLETS)]
                if profile.needs_wallets
                else []
            )
            write_stock(stock, stock_items(held, revealed, wallets))
            plan = _plan(request, economy)
            plan.write(folder)
            (folder / PROFILE_FILE).write_text(request.profile_text, encoding="utf-8")
            groups = {OWN_GROUP: [os.getpid()]}
            if economy.process is not None:
                groups["backend"] = [economy.process.pid]
            watch = Watch(groups)
            over_time = MetricsOverTime(f"{plan.backend_url}/metrics")
            before = read_metrics(over_time.url)
            over_time.start()
            weather = economy.weather
            outcome = let_in(
                plan, profile, folder, web_port=request.web_port, elsewhere=request.elsewhere,
                on_start=lambda locust: watch.start("generator", locust.pids),
                on_begin=lambda began: None if weather is None else weather.begin(began),
                on_look=lambda seconds, requests: tell(
                    f"load, {requests} requests", round(seconds), round(profile.seconds)
                ),
            )  # fmt: skip
            if weather is not None:
                weather.end()
            _wait_until_settled(economy)
            if profile.nfts_sold_before:
                take_history_away(bed.engine)
            server = changed(before, read_metrics(over_time.url))
            judgements = [*judge(economy, folder), judge_limits(outcome.records, profile)]
            if economy.process is not None:
                judgements.append(judge_resources(lambda: watch.of("backend"), bed.engine))
            request.look_after(bed)
            watch.stop()
            over_time.stop()
            over_time.write(folder / METRICS_FILE, outcome.began)
            watch.write(folder / PROCESSES_FILE, outcome.began)
    finally:
        stock.unlink(missing_ok=True)
    played = profile.cut(outcome.played_s)
    return LoadResult(
        profile=profile,
        folder=folder,
        started=started,
        outcome=outcome,
        rows=table(outcome.records, played),
        verdicts=verdicts(outcome.records, played),
        judgements=judgements,
        watch=watch,
        minted=minted,
        server=server,
        over_time=over_time,
        faults=[] if weather is None else weather.happened,
        knee=knee(outcome.records, profile, outcome.stages_done)
        if profile.steps_until_broken
        else None,
        where=request.place.told
        if isinstance(request.place, Parts)
        else f"the backend at {place(request.place.host)}",
        void=_void(watch, folder, outcome),
    )


def _void(watch: Watch, folder: Path, outcome: Outcome) -> str | None:
    """Why the generator was the limit: on this machine, or a worker anywhere."""
    for samples in (watch.of("generator"), *workers_told(folder).values()):
        if (why := saturation(samples, outcome.records)) is not None:
            return why
    return None


def judge(economy: Economy, folder: Path) -> list[Judgement]:
    """Let every judge look at ledger, database and log: the load's verdict on right and wrong."""
    bed = economy.bed
    minted: dict[str, None] = {}  # by journeys, each perhaps told twice
    for path in sorted(folder.glob("minted-*.txt")):
        minted |= dict.fromkeys(path.read_text(encoding="utf-8").split())
        path.unlink()
    for address in minted:
        number, _ = bed.next_nft()
        bed.book.add(f"nft-{number}", Pubkey.from_string(address))
    return economy.judge()


def _wait_until_settled(economy: Economy) -> None:
    """What a fault or a full house left half done is the backend's worker's to finish."""
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    while economy.unfinished() and time.monotonic() < deadline:
        time.sleep(_SETTLE_LOOK_SECONDS)


def _plan(request: LoadRequest, economy: Economy) -> Plan:
    deployment, base = economy.bed.deployment, urlsplit(economy.base_url)
    return Plan(
        backend_url=f"{base.scheme}://{base.netloc}",
        api_prefix=base.path,
        rpc_url=economy.bed.ledger.rpc_url,
        box_id=economy.bed.box_id,
        generators=request.profile.workers
        + (0 if request.elsewhere is None else request.elsewhere.workers),
        forwarded=request.profile.rate_limits,
        sign_in=request.profile.sign_in,
        candy_machine=str(deployment.candy_machine),
        candy_guard=str(deployment.candy_guard),
        collection_mint=str(deployment.collection_mint),
        authority=str(deployment.authority),
    )
