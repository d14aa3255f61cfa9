"""What all scenarios of one run share: the database server, the settings, the run folder.

Each scenario gets a testbed of its own: its own ledger, and a database cloned from a template that
was migrated and seeded once. Nothing one scenario does can reach another.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from harness.backend_server import prepare_database
from harness.candy_config import DEFAULT_PATH, CandyConfig, read_candy_config
from harness.clock import Clock, VirtualClock
from harness.database import Database
from harness.database.sources import check_database, open_database
from harness.errors import UsageError
from harness.foreign import foreign_backend, open_foreign_testbed
from harness.journal import Journal
from harness.ledger.cluster import ClusterSource
from harness.ledger.embedded import START
from harness.ledger.sources import ledger_source
from harness.opening import open_testbed
from harness.parity.snapshot import write_accounts
from harness.programs.sets import COMMITTED, open_set
from harness.proxies import spare_loopback
from harness.redis.place import RedisPlace, check_redis, open_redis
from harness.run.folder import journal_path, slug
from harness.run.target import CAPABILITIES, Target
from harness.seeds import Seed
from harness.settings import read_settings
from harness.testbed import Testbed

_TEMPLATE = "testbed_template"


@dataclass(frozen=True)
class RunOptions:
    """What a person chose for a run."""

    seed: str
    folder: Path
    candy_config: Path = DEFAULT_PATH
    testbed_settings: Path | None = None
    programs: str = COMMITTED
    #: embedded, validator or an RPC URL; see `harness.ledger.sources`.
    ledger: str = "embedded"
    #: A key file that pays and deploys on a ledger behind a URL.
    wallet: Path | None = None
    #: embedded, container or a URL; see `harness.database.sources`.
    database: str = "embedded"
    #: None, container or a URL; see `harness.redis.place`.
    redis: str | None = None
    #: reference or a URL; see `harness.foreign`.
    backend: str = "reference"
    #: What a foreign backend was set up with, and the words that it uses.
    deployment: Path | None = None
    backend_map: Path | None = None
    #: How many flags say that mainnet-beta is meant.
    mainnet_asked: int = 0
    #: Whether to write down the bytes of all accounts that a scenario touched.
    keep_accounts: bool = False


class RunSession:
    """Opens one testbed after another for the scenarios of a run."""

    def __init__(self, options: RunOptions, worker: str = "main") -> None:
        spare_loopback()
        self.options = options
        self.worker = worker
        self.config = read_candy_config(options.candy_config)
        self.settings = read_settings(options.testbed_settings)
        self.programs = open_set(options.programs)
        self.ledger_source = ledger_source(options.ledger, options.wallet, options.mainnet_asked)
        check_database(options.database)
        check_redis(options.redis)
        self.foreign = foreign_backend(
            options.backend, options.ledger, options.deployment, options.backend_map
        )
        missing = (
            _missing(self.ledger_source.kind, options.database)
            if self.foreign is None
            else frozenset(CAPABILITIES) - {"passing time"}  # seen at the first long wait
        )
        # Whatever is played against: the packages are installed here or they are not.
        analysis = frozenset({"analysis"})
        self.target = Target(missing - analysis if find_spec("pyarrow") else missing | analysis)
        if self.foreign is None:
            _check_live(self.config, self.ledger_source.new_clock())
        self._stack = ExitStack()
        self._server: Database | None = None
        self._redis: RedisPlace | None = None
        self._opened = 0

    def close(self) -> None:
        self._stack.close()

    def database_server(self) -> Database:
        """The server that all testbeds of this run have their databases on; started when needed."""
        if self._server is None:
            log = self.options.folder / "logs" / f"postgres-{self.worker}.log"
            server = open_database(self.options.database, log)
            self._stack.callback(server.close)
            self._redis = self._stack.enter_context(
                open_redis(self.options.redis, log.with_name(f"redis-{self.worker}.log"))
            )
            prepare_database(server.create_database(_TEMPLATE))
            self._server = server
        return self._server

    @contextmanager
    def testbed(
        self,
        scenario: str,
        *,
        title: str,
        story: str = "",
        seed: str | None = None,
        journal_name: str | None = None,
        changes: Mapping[str, object] | None = None,
        rpc_port: int = 0,
        backend_port: int = 0,
        rolls: random.Random | None = None,
    ) -> Iterator[Testbed]:
        """A fresh testbed for one scenario, seeded by a seed (the run's) and the scenario's name.

        `journal_name` is what the journal calls it, where that differs from `scenario`.
        """
        if self.foreign is not None:
            assert isinstance(self.ledger_source, ClusterSource)
            with open_foreign_testbed(
                foreign=self.foreign,
                source=self.ledger_source,
                seed=Seed(seed or self.options.seed).child(scenario),
                settings=self.settings,
                journal_path=journal_path(self.options.folder, journal_name or scenario),
                scenario=journal_name or scenario,
                title=title,
                story=story,
            ) as visited:
                yield visited
            return
        server = self.database_server()
        self._opened += 1
        database = f"scenario_{self._opened}"
        url = server.create_database(database, template=_TEMPLATE)
        try:
            with open_testbed(
                seed=Seed(seed or self.options.seed).child(scenario),
                settings=self.settings.replace(**(changes or {})),
                config=self.config,
                database_url=url,
                ledger_source=self.ledger_source,
                log_folder=self.options.folder / "logs",
                journal_path=journal_path(self.options.folder, journal_name or scenario),
                scenario=journal_name or scenario,
                title=title,
                story=story,
                rpc_port=rpc_port,
                backend_port=backend_port,
                rolls=rolls,
                programs=self.programs,
                redis=self._redis,
            ) as testbed:
                testbed.database = server
                yield testbed
                if self.options.keep_accounts:
                    name = slug(journal_name or scenario)
                    write_accounts(testbed, self.options.folder / "accounts" / f"{name}.json")
        finally:
            server.drop_database(database)

    def lacks(self, needs: set[str], changes: Mapping[str, object]) -> str:
        """Why a scenario cannot be told on this run's target; empty if it can."""
        return self.target.lacks(needs, changes)

    def write_skipped(
        self, scenario: str, *, title: str, story: str, seed: str, reason: str
    ) -> None:
        """The journal of a scenario that was not told: what it is, and why not."""
        path = journal_path(self.options.folder, scenario)
        journal = Journal(path, scenario, VirtualClock(START))
        journal.write("scenario", title=title, story=story, seed=seed, config={})
        journal.write("verdict", outcome="skipped", message=reason)
        journal.close()


def _check_live(config: CandyConfig, clock: Clock) -> None:
    """Raises UsageError if the machine starts later and this ledger's time can't be moved there."""
    start = config.start_date
    if start is not None and clock.now() <= start and not isinstance(clock, VirtualClock):
        raise UsageError(
            f"{config.source}: guards.default.startDate: nobody can mint before "
            f"{start:%Y-%m-%d %H:%M} UTC, and only the embedded ledger's time can be moved; name "
            "an earlier date"
        )


def _missing(ledger: str, database: str) -> frozenset[str]:
    """What stories cannot ask of such a ledger and such a database."""
    missing: set[str] = set()
    if ledger != "embedded":
        missing |= {"virtual clock", "embedded ledger"}
    if database != "embedded":
        missing |= {"database server"}
    if ledger != "validator" or database.partition("=")[0] != "container":
        missing.add("containers")
    return frozenset(missing)
