"""Plays a suite with pytest and writes the run folder.

pytest is the runner; `selection` says which tests a suite is.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.candy_config import read_candy_config
from harness.clock import SystemClock
from harness.database.sources import check_database
from harness.errors import (
    EXIT_ENVIRONMENT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_PASSED,
    StartError,
    UsageError,
)
from harness.foreign import foreign_backend
from harness.ledger.cluster import ClusterSource
from harness.ledger.mainnet import MAINNET_FLAGS
from harness.ledger.sources import ledger_source
from harness.plugin import places
from harness.programs.sets import COMMITTED, ProgramSet, open_set
from harness.redis.place import check_redis
from harness.run.folder import (
    JUNIT_OF_A_TURN,
    add_junit,
    drop_journals,
    merge_journals,
    new_run_folder,
    write_json,
)
from harness.run.progress import Progress
from harness.run.selection import check_keyword, collection_arguments, only_our_plugin
from harness.run.turns import turns
from harness.settings import read_settings

#: Of more turns than these, only the journals of failures and of the last turn are kept.
_TURNS_KEPT_MAX = 10


@dataclass(frozen=True)
class RunRequest:
    """What a person asked for on the command line."""

    suite: str
    seed: str
    runs: Path
    candy_config: Path | None = None
    testbed_settings: Path | None = None
    programs: str = COMMITTED
    ledger: str = "embedded"
    wallet: Path | None = None
    database: str = "embedded"
    redis: str | None = None
    backend: str = "reference"
    deployment: Path | None = None
    backend_map: Path | None = None
    mainnet_asked: int = 0
    keyword: str | None = None
    exit_first: bool = False
    workers: int = 1
    seeds: str | None = None
    repeat: int = 1
    keep_accounts: bool = False
    pytest_arguments: tuple[str, ...] = ()


def play(request: RunRequest) -> tuple[int, Path]:
    """Play the suite; returns the exit code of the design and the report's path.

    Raises UsageError before anything is started, StartError if the environment will not start.
    """
    selection = collection_arguments(request.suite)
    programs = _check(request)
    started = datetime.now(UTC)
    folder = new_run_folder(request.runs, started)
    progress = Progress()
    used_before = processor_seconds()
    code = _play_turns(request, selection, folder, progress)
    if code == pytest.ExitCode.OK and not progress.counted["passed"]:
        code = pytest.ExitCode.TESTS_FAILED  # a gate that saw nothing has not let anybody through
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        shutil.rmtree(folder)
        chosen = "there is" if request.keyword is None else f"-k {request.keyword!r} selects"
        raise UsageError(f"{chosen} no scenario of suite {request.suite}")
    if code == pytest.ExitCode.USAGE_ERROR:
        shutil.rmtree(folder)
        raise UsageError(f"suite {request.suite} cannot be played; why is told above")
    merge_journals(folder)
    facts = _facts(request, programs, started, progress, code)
    if used_before is not None:
        facts["processor_seconds"] = round((processor_seconds() or 0) - used_before, 3)
    write_json(folder / "run.json", facts)
    from harness.report import render  # its libraries would delay the first scenario

    report = render(folder)
    if progress.start_error or (code == EXIT_ENVIRONMENT and progress.exit_reason):
        lines = (progress.start_error or progress.exit_reason).splitlines()
        raise StartError(lines[0], lines[1:])
    return _exit_code(code, progress), report


def _play_turns(request: RunRequest, selection: list[str], folder: Path, progress: Progress) -> int:
    """Play turn after turn, each in a session of pytest with workers of its own, so that memory
    stays what one turn takes; pytest's exit code, the worst of all.

    A failed turn does not stop the next, unless `-x` is asked for. Of many turns the
    failures' journals and the last turn's are kept.
    """
    asked = turns(request.seed, request.seeds, request.repeat)
    several = len(asked) > 1 or request.seeds is not None
    progress.brief = len(asked) > 1
    worst = int(pytest.ExitCode.OK)
    for number, turn in enumerate(asked, start=1):
        began = time.monotonic()
        if len(asked) > _TURNS_KEPT_MAX:  # memory and disk of one turn; the last one's is kept
            over = [name for name, verdict in progress.verdicts.items() if verdict != "failed"]
            drop_journals(folder, over)
        arguments = [*selection, *_options(request, folder)]
        arguments += ["--turn", str(number)] if several else []
        with contextlib.redirect_stdout(sys.stderr), only_our_plugin():
            code = int(pytest.main([*arguments, *request.pytest_arguments], plugins=[progress]))
        add_junit(folder)
        worst = code if code != pytest.ExitCode.OK else worst
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            break
        if progress.brief:
            progress.tally(turn, time.monotonic() - began)
        if worst != pytest.ExitCode.OK and request.exit_first:
            break
    return worst


def processor_seconds() -> float | None:
    """What this process and its children that ended have computed so far; None where nobody
    counts."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _check(request: RunRequest) -> ProgramSet:
    """Everything that can be wrong before anything is started; the programs to run.

    Raises UsageError, or StartError if somebody else's ledger or backend does not answer.
    """
    turns(request.seed, request.seeds, request.repeat)
    if request.keyword is not None:
        check_keyword(request.keyword)
    read_settings(request.testbed_settings)
    if request.candy_config is not None:
        read_candy_config(request.candy_config)
    programs = open_set(request.programs)
    source = ledger_source(request.ledger, request.wallet, request.mainnet_asked)
    foreign = foreign_backend(
        request.backend, request.ledger, request.deployment, request.backend_map, request.workers
    )
    check_database(request.database)
    check_redis(request.redis)
    if isinstance(source, ClusterSource):
        source.visit(SystemClock())
        if foreign is not None:
            foreign.check(source)
    return programs


def _options(request: RunRequest, folder: Path) -> list[str]:
    """The request in the words of `harness.plugin` and pytest."""
    options = [
        "--seed", request.seed,
        "--ledger", request.ledger,
        "--database", request.database,
        "--backend", request.backend,
        "--run-folder", str(folder),
        "--programs", request.programs,
        "--junitxml", str(folder / JUNIT_OF_A_TURN),
        "-o", "junit_family=xunit1",
        "--repeat", str(request.repeat),
    ]  # fmt: skip
    if request.workers > 1:
        options += ["-p", "xdist.plugin", "-n", str(request.workers), "--dist", "worksteal"]
    for option, value in (
        ("--seeds", request.seeds),
        ("--candy-config", request.candy_config),
        ("--testbed-settings", request.testbed_settings),
        ("--wallet", request.wallet),
        ("--redis", request.redis),
        ("--deployment", request.deployment),
        ("--backend-map", request.backend_map),
        ("-k", request.keyword),
    ):
        if value is not None:
            options += [option, str(value)]
    options += MAINNET_FLAGS[: request.mainnet_asked]
    options += ["--keep-accounts"] if request.keep_accounts else []
    options += ["-x"] if request.exit_first else []
    return options


def _exit_code(code: int, progress: Progress) -> int:
    if code == pytest.ExitCode.OK:
        return EXIT_PASSED
    if code == pytest.ExitCode.INTERRUPTED:
        return EXIT_INTERRUPTED if not progress.errors else EXIT_FAILED
    return EXIT_FAILED


def _command(request: RunRequest) -> str:
    """The command that makes the same run again."""
    words = ["harness", "run", request.suite, "--seed", request.seed]
    for option, value in (
        ("--config", request.candy_config),
        ("--testbed", request.testbed_settings),
        ("--wallet", request.wallet),
        ("--programs", None if request.programs == COMMITTED else request.programs),
        ("--deployment", request.deployment),
        ("--backend-map", request.backend_map),
        ("-k", request.keyword),
        ("--seeds", request.seeds),
        ("--repeat", request.repeat if request.repeat > 1 else None),
        ("--workers", request.workers if request.workers > 1 else None),
    ):
        if value is not None:
            words += [option, str(value)]
    words += places(request.ledger, request.database, request.backend, request.redis)
    return shlex.join(words)


def _facts(
    request: RunRequest, programs: ProgramSet, started: datetime, progress: Progress, code: int
) -> dict[str, object]:
    """What was run, where and how it ended; goes to run.json and the report's foot."""
    versions = {
        name: importlib.metadata.version(name)
        for name in ("mystery-box-testbed", "solana", "solders", "anchorpy", "fastapi", "pytest")
    }
    return {
        "suite": request.suite,
        "seed": request.seed,
        "command": _command(request),
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "exit_code": code,
        "ledger": ledger_source(request.ledger).kind,
        "database": "none"
        if request.backend != "reference"
        else "url"
        if "://" in request.database
        else request.database.partition("=")[0],
        "redis": None if request.redis is None else request.redis.partition(":")[0],
        "backend": "reference" if request.backend == "reference" else "url",
        "programs": {"choice": programs.choice, "sha256": programs.checksums()},
        "versions": {"python": platform.python_version(), **versions},
        "workers": request.workers,
        "memory_bytes_max": progress.memory_bytes_max,
        "memory_bytes": progress.memory_bytes,
        "elapsed_seconds": round(progress.elapsed_seconds, 3),
        "told": progress.counted,
        "verdicts": dict(progress.verdicts),
        "seconds": {name: round(seconds, 3) for name, seconds in progress.seconds.items()},
    }
