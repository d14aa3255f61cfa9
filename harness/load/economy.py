"""The economy under load: embedded ledger on the machine's clock, Postgres, and the backend in
processes of its own with real workers; ledger and Postgres in containers where that is asked for;
or a backend and a ledger that somebody else runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from solana.rpc.commitment import Confirmed
from sqlalchemy import text

from harness.backend_process import BackendProcess, backend_environment, run_backend
from harness.checks import Judgement
from harness.clock import Clock, SystemClock
from harness.errors import StartError, UsageError
from harness.ledger.cluster import ClusterLedger, ClusterSource, place
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.sources import EmbeddedSource
from harness.load.profile import Profile
from harness.load.stock import LAMPORTS_A_MINT
from harness.load.weather import Weather, open_weather
from harness.run.session import RunOptions, RunSession
from harness.testbed import Testbed

#: What a load test must be able to ask for, where the profile does not test the limits themselves.
_UNLIMITED = {"RATE_LIMIT_MAX_REQUESTS": "0", "REVEAL_LIMIT_MAX_REQUESTS": "0"}
#: Where it does, each wallet comes from an address of its own, through a proxy on this machine.
_LIMITED = {"TRUSTED_PROXIES": "127.0.0.1"}
#: The embedded ledger answers in a millisecond: more threads would only wait for one another, and
#: bore 163 reveals a second where these bear 186.
_NEAR = {"THREADS": "8"}
_UNFINISHED = text(
    "select (select count(*) from reveals where state = 'submitted')"
    " + (select count(*) from buyback_quotes where state = 'signed')"
)


class RealTimeSource(EmbeddedSource):
    """The embedded ledger in real time: a load is measured by the machine's clock."""

    def new_clock(self) -> Clock:
        return SystemClock()


@dataclass(frozen=True)
class Visit:
    """A backend that somebody else runs: where it is, where its ledger is, what it sells."""

    host: str
    ledger: str
    deployment: Path
    wallet: Path | None = None


@dataclass(frozen=True)
class Parts:
    """What an economy of our own is made of: `embedded` or what stands in containers."""

    #: embedded or validator.
    ledger: str = "embedded"
    #: embedded or container.
    database: str = "embedded"

    @property
    def told(self) -> str:
        ledger = (
            "embedded ledger" if self.ledger == "embedded" else "a validator in a container"
        ) + ", in real time"
        return f"{ledger}, {self.database} Postgres, on this machine"


def place_of(
    host: str | None,
    ledger: str | None,
    database: str | None,
    deployment: Path | None,
    wallet: Path | None,
) -> Visit | Parts:
    """Where the crowd goes: to somebody's backend, or to one of our own. Raises UsageError for
    what does not go together."""
    if host is None:
        for option, given in (("--deployment", deployment), ("--wallet", wallet)):
            if given is not None:
                raise UsageError(f"{option}: goes with --host URL")
        parts = Parts(ledger or "embedded", database or "embedded")
        if parts.ledger.partition("=")[0] not in ("embedded", "validator"):
            raise UsageError(
                f"--ledger {place(parts.ledger)}: must be embedded or validator; a URL goes with "
                "--host URL"
            )
        if parts.database.partition("=")[0] not in ("embedded", "container"):
            raise UsageError("--database: must be embedded or container")
        return parts
    if ledger is None or deployment is None:
        raise UsageError("--host: also needs --ledger URL and --deployment FILE")
    if database is not None:
        raise UsageError("--database: is for a backend of our own, not for --host")
    return Visit(host, ledger, deployment, wallet)


@dataclass(frozen=True)
class Economy:
    """`process` and `weather` are None where somebody else runs the backend."""

    bed: Testbed
    base_url: str
    process: BackendProcess | None = None
    weather: Weather | None = None
    #: What must not stand in any log.
    secrets: tuple[str, ...] = ()

    def unfinished(self) -> int:
        """Reveals and payments that are sent and not yet known to have landed."""
        if self.process is None:
            return 0
        with self.bed.engine.connect() as connection:
            return int(connection.execute(_UNFINISHED).scalar_one())

    def judge(self) -> list[Judgement]:
        """Let every judge look at ledger, database and log; at a foreign backend's ledger only."""
        evidence = self.bed.evidence()
        if self.process is not None:
            evidence = replace(evidence, log_text=self.process.log_text(), secrets=self.secrets)
        return [judge(evidence) for judge in self.bed.judges]


@contextmanager
def open_economy(
    profile: Profile, seed: str, folder: Path, items: int, where: Visit | Parts
) -> Iterator[Economy]:
    """Bring ledger, database and backend up for one load, or visit those that are there.

    Raises StartError; UsageError if those that are there are not enough for the profile.
    """
    with ExitStack() as stack:
        session = _session(seed, folder, where)
        stack.callback(session.close)
        if session.foreign is not None:
            assert isinstance(session.ledger_source, ClusterSource)
            try:
                session.foreign.check(session.ledger_source)
            except StartError as nobody:
                raise UsageError(f"{nobody}; nothing was sent") from None
        changes = {"items_available": items, "treasury_lamports": 5_000_000 * 10**9}
        bed = stack.enter_context(
            session.testbed(
                "load", title=f"load: {profile.name}", story=profile.about,
                changes=None if session.foreign else changes,
            )
        )  # fmt: skip
        if session.foreign is not None:
            _check_stock(bed, items)
            yield Economy(bed, session.foreign.base_url)
            return
        weather = stack.enter_context(
            open_weather(profile.faults, bed.ledger.rpc_url, bed.engine.url)
        )
        database_url = bed.engine.url.render_as_string(hide_password=False)
        environment = backend_environment(
            deployment=bed.deployment,
            authority=bed.authority_key,
            treasury=bed.treasury_key,
            database_url=database_url,
            rpc_url=bed.ledger.rpc_url,
            box_id=bed.box_id,
            placeholder_uri=bed.config.hidden.uri,
        )
        environment |= _LIMITED if profile.rate_limits else _UNLIMITED
        environment |= _NEAR if isinstance(bed.ledger, EmbeddedLedger) else {}
        environment |= {"WALLET_AUTH": "required"} if profile.sign_in else {}
        environment |= {"PROVABLY_FAIR": "true"} if profile.share("proof") else {}
        backend = stack.enter_context(
            run_backend(
                environment | weather.variables, folder / "logs" / "backend.log",
                workers=profile.backend_workers,
            )
        )  # fmt: skip
        keys = (environment["ADMIN_WALLET_PRIVATE_KEY"], str(bed.treasury_key))
        secrets = (*keys, str(bed.authority_key), database_url)
        yield Economy(bed, backend.base_url, backend, weather, secrets)


def _session(seed: str, folder: Path, where: Visit | Parts) -> RunSession:
    if isinstance(where, Parts):
        options = RunOptions(
            seed=seed, folder=folder, ledger=where.ledger, database=where.database
        )  # fmt: skip
        session = RunSession(options)
        if where.ledger == "embedded":
            session.ledger_source = RealTimeSource()
        return session
    return RunSession(
        RunOptions(
            seed=seed, folder=folder, backend=where.host, ledger=where.ledger,
            deployment=where.deployment, wallet=where.wallet,
        )
    )  # fmt: skip


def _check_stock(bed: Testbed, items: int) -> None:
    """Raises UsageError if machine or payer has not enough for so many mints."""
    left = bed.config.items_available - bed.items_redeemed_before
    if left < items:
        raise UsageError(f"the machine has {left} boxes left, the profile may need {items}")
    assert isinstance(bed.ledger, ClusterLedger)
    if bed.ledger.funder is not None:  # without one the faucet pays
        balance = bed.client.get_balance(bed.ledger.funder, Confirmed).value
        if balance < (needed := items * LAMPORTS_A_MINT):
            raise UsageError(f"--wallet: holds {balance} lamports, {items} mints may need {needed}")
