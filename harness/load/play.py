"""Plays a load profile from start to verdict: stock up, let the crowd in, watch it, judge."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from solders.pubkey import Pubkey

from harness.checks import JUDGES, Judgement
from harness.errors import (
    EXIT_ENVIRONMENT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_PASSED,
    EXIT_THRESHOLD,
)
from harness.load.aftermath import judge_limits, judge_resources
from harness.load.crowd import Outcome, let_in
from harness.load.economy import Economy, open_economy
from harness.load.measurements import Knee, Row, Verdict, knee, table, verdicts
from harness.load.plan import Plan, write_stock
from harness.load.profile import Profile
from harness.load.server_metrics import ServerMetric, changed, read_metrics
from harness.load.stock import Minted, mint_stock, new_wallet, reveal_stock, stock_items
from harness.load.watch import Watch, saturation
from harness.run.folder import new_run_folder

_JOURNEY_WALLETS = 50
_JOURNEY_LAMPORTS = 1_000 * 10**9

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LoadRequest:
    """What a person asked for. `tell(what, done, of)` is called as it goes on."""

    profile: Profile
    profile_path: Path
    runs: Path
    seed: str = "1"
    web_port: int | None = None
    tell: Tell = lambda what, done, of: None


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
    knee: Knee | None
    void: str | None

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
    """Play a profile. Raises StartError if a part does not start."""
    profile = request.profile
    started = datetime.now(UTC)
    folder = new_run_folder(request.runs, started)
    sealed, revealed = profile.stock_needed()
    journeys = round(profile.arrivals_expected() * profile.share("journey") * 2) + 10
    stock = folder.resolve() / "stock.txt"
    try:
        with open_economy(profile, request.seed, folder, sealed + revealed + journeys) as economy:
            bed, tell = economy.bed, request.tell
            held, minted = mint_stock(bed, sealed + revealed, tell)
            forwarded = profile.rate_limits
            reveal_stock(held[:revealed], economy.backend.base_url, bed.box_id, forwarded, tell)
            wallets = (
                [new_wallet(bed, _JOURNEY_LAMPORTS) for _ in range(_JOURNEY_WALLETS)]
                if profile.mix.get("journey")
                else []
            )
            write_stock(stock, stock_items(held, revealed, wallets))
            plan = _plan(request, economy, folder, stock)
            plan.write(folder / "plan.json")
            watch = Watch({"ledger": [os.getpid()], "backend": [economy.backend.pid]})
            before = read_metrics(f"{economy.backend.url}/metrics")
            outcome = let_in(
                plan, profile, folder, web_port=request.web_port,
                on_start=lambda locust: watch.start("generator", locust.pids),
                on_look=lambda seconds, requests: tell(
                    f"load, {requests} requests", round(seconds), round(profile.seconds)
                ),
            )  # fmt: skip
            server = changed(before, read_metrics(f"{economy.backend.url}/metrics"))
            judgements = [
                *judge(economy, folder),
                judge_limits(outcome.records, profile),
                judge_resources(lambda: watch.of("backend"), bed.engine),
            ]
            watch.stop()
    finally:
        stock.unlink(missing_ok=True)
    return LoadResult(
        profile=profile,
        folder=folder,
        started=started,
        outcome=outcome,
        rows=table(outcome.records, profile),
        verdicts=verdicts(outcome.records, profile),
        judgements=judgements,
        watch=watch,
        minted=minted,
        server=server,
        knee=knee(outcome.records, profile, outcome.stages_done)
        if profile.steps_until_broken
        else None,
        void=saturation(watch.of("generator"), outcome.records),
    )


def judge(economy: Economy, folder: Path) -> list[Judgement]:
    """Let every judge look at ledger, database and log: the load's verdict on right and wrong."""
    bed = economy.bed
    for path in sorted(folder.glob("minted-*.txt")):  # what journeys minted
        for address in path.read_text(encoding="utf-8").split():
            number, _ = bed.next_nft()
            bed.book.add(f"nft-{number}", Pubkey.from_string(address))
        path.unlink()
    evidence = dataclasses.replace(
        bed.evidence(), log_text=economy.backend.log_text(), secrets=economy.secrets
    )
    return [judge_(evidence) for judge_ in JUDGES]


def _plan(request: LoadRequest, economy: Economy, folder: Path, stock: Path) -> Plan:
    deployment, backend = economy.bed.deployment, economy.backend
    copied = folder / "profile.toml"
    shutil.copyfile(request.profile_path, copied)
    return Plan(
        profile=str(copied.resolve()),
        folder=str(folder.resolve()),
        stock=str(stock),
        backend_url=backend.url,
        api_prefix=backend.base_url.removeprefix(backend.url),
        rpc_url=economy.bed.ledger.rpc_url,
        box_id=economy.bed.box_id,
        generators=request.profile.workers,
        forwarded=request.profile.rate_limits,
        candy_machine=str(deployment.candy_machine),
        candy_guard=str(deployment.candy_guard),
        collection_mint=str(deployment.collection_mint),
        authority=str(deployment.authority),
    )
