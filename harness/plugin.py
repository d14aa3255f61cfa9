"""The pytest plugin: options, the `testbed` fixture, and the judges after every scenario.

Loaded by pytest wherever the harness is installed, so that -k, -x, --junitxml, xdist and editors'
test panes work on scenarios as on any test. A test that asks for the `testbed` fixture gets an
economy of its own; when its story is told, the judges look at what it left, and a finding fails
the test as an assertion of its own would.

    @pytest.mark.testbed(items_available=3)
    def test_sold_out(testbed): ...
"""

from __future__ import annotations

import inspect
import random
import shlex
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.peak_memory import memory_bytes_max
from harness.run.selection import SCENARIOS
from harness.run.turns import Turn, turns, without_turn
from harness.seeds import DEFAULT_SEED

if TYPE_CHECKING:
    from harness.checks import Judgement
    from harness.run.session import RunSession
    from harness.testbed import Testbed

_SESSION = pytest.StashKey["RunSession"]()
_VERDICT = pytest.StashKey[dict[str, str]]()
_INTERRUPTED = {"outcome": "skipped", "message": "interrupted"}


class ScenarioFindings(AssertionError):
    """What the judges found after a scenario that itself went through."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mystery box testbed")
    group.addoption("--seed", default=DEFAULT_SEED, help="seed of the run (default: %(default)s)")
    group.addoption("--seeds", help="A..B: play every scenario once with each of these seeds")
    group.addoption("--repeat", type=int, default=1, help="play every scenario this many times")
    group.addoption("--turn", type=int, help="of these turns only the one with this number, from 1")
    group.addoption("--candy-config", type=Path, help="sugar config.json (default: the guide's)")
    group.addoption("--testbed-settings", type=Path, help="testbed.toml with treasury and prices")
    group.addoption("--ledger", default="embedded", help="embedded, validator or an RPC URL")
    group.addoption("--backend", default="reference", help="reference or a URL")
    group.addoption("--deployment", type=Path, help="addresses that a backend behind a URL uses")
    group.addoption("--backend-map", type=Path, help="paths and fields of a backend behind a URL")
    for flag in ("--spend-real-sol", "--on-mainnet-beta"):
        group.addoption(flag, action="store_true", help="both: the ledger may be mainnet-beta")
    group.addoption("--wallet", type=Path, help="key file that pays on a ledger behind a URL")
    group.addoption("--database", default="embedded", help="embedded, container or a URL")
    group.addoption("--redis", help="container or a URL; default: the backend counts in memory")
    group.addoption(
        "--programs", default="committed", help="committed, fetched or a folder with ELFs"
    )
    group.addoption(
        "--keep-accounts", action="store_true", help="write down the accounts of each scenario"
    )
    group.addoption(
        "--run-folder", type=Path, help="where journals and logs go (default: temporary)"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "testbed(**settings): numbers of this scenario's testbed, see harness/settings.py",
    )
    config.addinivalue_line(
        "markers", "guide(*items): lines of the guide that this scenario covers, see harness/guide"
    )
    config.addinivalue_line(
        "markers", "needs(*capabilities): what the target must offer, see harness/run/target.py"
    )
    config.addinivalue_line(
        "markers", "finds(*judges): what this story breaks; each of these judges must find it"
    )
    config.addinivalue_line(
        "markers", "unjudged: the test breaks the economy on purpose, so that judges must not look"
    )
    config.addinivalue_line("markers", "smoke: the short suite that `harness run` plays")
    config.addinivalue_line("markers", "nightly: fresh randomness, played by `harness run nightly`")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Multiply scenarios by the turns asked for; nothing where there is just one."""
    if "turn" not in metafunc.fixturenames:
        return
    asked, told = _turns(metafunc.config), ("--seeds", "--turn")
    if len(asked) > 1 or any(metafunc.config.getoption(one) is not None for one in told):
        metafunc.parametrize("turn", asked, ids=str, indirect=True)


def _turns(config: pytest.Config) -> list[Turn]:
    asked = turns(
        config.getoption("--seed"), config.getoption("--seeds"), config.getoption("--repeat")
    )
    number = config.getoption("--turn")
    return asked if number is None else [asked[number - 1]]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Properties of a scenario for JUnit and whoever listens, also across processes."""
    if "testbed" not in getattr(item, "fixturenames", ()):
        return
    item.user_properties += [
        ("scenario", scenario_name(item)),
        ("title", first_sentence(story_of(item))),
        ("seed", _turn_of(item).seed),
        ("replay", replay_command(item)),
        *(("guide", str(one)) for mark in item.iter_markers("guide") for one in mark.args),
    ]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells its memory's peak when it is done."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["memory_bytes_max"] = memory_bytes_max()


def pytest_unconfigure(config: pytest.Config) -> None:
    session = config.stash.get(_SESSION, None)
    if session is not None:
        session.close()


@pytest.fixture(scope="session")
def run_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> RunSession:
    """The run that the scenarios of this process belong to."""
    from harness.candy_config import DEFAULT_PATH
    from harness.ledger.mainnet import MAINNET_FLAGS
    from harness.run.session import RunOptions, RunSession

    config = request.config
    folder = config.getoption("--run-folder")
    if folder is None:
        folder = tmp_path_factory.mktemp("run")
        (folder / "logs").mkdir()
    session = RunSession(
        RunOptions(
            seed=config.getoption("--seed"),
            folder=folder,
            candy_config=config.getoption("--candy-config") or DEFAULT_PATH,
            testbed_settings=config.getoption("--testbed-settings"),
            programs=config.getoption("--programs"),
            ledger=config.getoption("--ledger"),
            wallet=config.getoption("--wallet"),
            database=config.getoption("--database"),
            redis=config.getoption("--redis"),
            backend=config.getoption("--backend"),
            deployment=config.getoption("--deployment"),
            backend_map=config.getoption("--backend-map"),
            mainnet_asked=sum(config.getoption(flag) for flag in MAINNET_FLAGS),
            keep_accounts=config.getoption("--keep-accounts"),
        ),
        worker=getattr(config, "workerinput", {}).get("workerid", "main"),
    )
    config.stash[_SESSION] = session
    return session


@pytest.fixture
def turn(request: pytest.FixtureRequest) -> Turn:
    """Which telling of the scenario this is."""
    chosen = getattr(request, "param", None)
    return chosen if isinstance(chosen, Turn) else _turns(request.config)[0]


@pytest.fixture
def testbed(
    request: pytest.FixtureRequest, run_session: RunSession, turn: Turn
) -> Iterator[Testbed]:
    """A running economy of this test's own."""
    from harness.errors import EXIT_ENVIRONMENT, StartError

    scenario = scenario_name(request.node)
    story = story_of(request.node)
    title = first_sentence(story)
    changes: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("testbed"))):
        changes.update(marker.kwargs)
    needs = {str(one) for mark in request.node.iter_markers("needs") for one in mark.args}
    if reason := run_session.lacks(needs, changes):
        run_session.write_skipped(scenario, title=title, story=story, seed=turn.seed, reason=reason)
        pytest.skip(reason)
    try:
        fresh = request.node.get_closest_marker("nightly")
        with run_session.testbed(
            without_turn(scenario, turn),
            seed=turn.seed,
            journal_name=scenario,
            title=title,
            story=story,
            changes=changes,
            # a night's rolls repeat no other night's; keys and names still come from the seed
            rolls=None if fresh is None else random.SystemRandom(),
        ) as bed:
            yield bed
            verdict = request.node.stash.get(_VERDICT, _INTERRUPTED)
            bed.journal.write("verdict", **verdict)
    except StartError as error:
        told_lines = "\n".join([str(error), *error.log_lines])
        output = getattr(request.config, "workeroutput", None)
        if output is not None:  # the first process says it, and with which exit code
            output["start_error"] = told_lines
        pytest.exit(told_lines, returncode=EXIT_ENVIRONMENT)


def story_of(item: pytest.Item) -> str:
    """A scenario's story: its docstring."""
    return inspect.getdoc(getattr(item, "function", None)) or ""


def _turn_of(item: pytest.Item) -> Turn:
    callspec = getattr(item, "callspec", None)
    chosen = callspec.params.get("turn") if callspec is not None else None
    return chosen if isinstance(chosen, Turn) else _turns(item.config)[0]


def first_sentence(story: str) -> str:
    """What a story is called: its first sentence, in one line."""
    words = " ".join(story.split())
    return words.partition(". ")[0].removesuffix(".") or "a story without words"


def scenario_name(item: pytest.Item) -> str:
    """The scenario's name: file and function, wherever the checkout lies."""
    return f"{item.path.stem}::{item.name}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let the judges look as soon as the story is told, and keep the verdict for the journal."""
    bed: Testbed | None = getattr(item, "funcargs", {}).get("testbed")
    if bed is None or item.get_closest_marker("unjudged") is not None:
        return (yield)
    try:
        result = yield
    except pytest.skip.Exception as skipped:
        item.stash[_VERDICT] = {"outcome": "skipped", "message": str(skipped)}
        raise
    except KeyboardInterrupt:
        item.stash[_VERDICT] = _INTERRUPTED
        raise
    except BaseException as error:
        _skip_if_lacking(item, bed)
        item.stash[_VERDICT] = _failed(item, f"{type(error).__name__}: {error}", bed)
        bed.judge()
        raise
    _skip_if_lacking(item, bed)
    found = _found(item, bed.judge())
    if found:
        item.stash[_VERDICT] = _failed(item, "; ".join(found), bed)
        raise ScenarioFindings("the judges found:\n  " + "\n  ".join(found))
    item.stash[_VERDICT] = {"outcome": "passed", "message": ""}
    return result


def _skip_if_lacking(item: pytest.Item, bed: Testbed) -> None:
    """A story that asked in its middle for what the target lacks proved nothing, either way."""
    if bed.lacked:
        item.stash[_VERDICT] = {"outcome": "skipped", "message": bed.lacked[0]}
        pytest.skip(bed.lacked[0])


def _found(item: pytest.Item, judgements: list[Judgement]) -> list[str]:
    """What judges found that they should not have, or failed to find though it was there."""
    expected = {str(one) for mark in item.iter_markers("finds") for one in mark.args}
    found = []
    for judgement in judgements:
        if judgement.judge not in expected:
            found += [f"{judgement.judge}: {finding}" for finding in judgement.findings]
        elif judgement.passed:
            found.append(f"{judgement.judge}: found nothing, though this story breaks it")
    if unknown := expected - {judgement.judge for judgement in judgements}:
        found.append(f"no judge is called {', '.join(sorted(unknown))}")
    return found


def _failed(item: pytest.Item, message: str, bed: Testbed) -> dict[str, str]:
    return {
        "outcome": "failed",
        "message": bed.book.redact(message),
        "replay": replay_command(item),
    }


def places(
    ledger: str, database: str, backend: str = "reference", redis: str | None = None
) -> list[str]:
    """The options that choose where a run plays, without the defaults. A URL may hold a password
    or a key, so only its kind is told: the words say which variable to put it into."""
    words = []
    for option, chosen, default, variable in (
        ("--backend", backend, "reference", "BACKEND_URL"),
        ("--ledger", ledger, "embedded", "SOLANA_RPC_URL"),
        ("--database", database, "embedded", "DATABASE_URL"),
        ("--redis", redis, None, "REDIS_URL"),
    ):
        if chosen is not None and chosen != default:
            words += [option, variable if "://" in chosen else chosen]
    return words


def replay_command(item: pytest.Item) -> str:
    """The one command that plays a scenario again."""
    config = item.config
    test = getattr(item, "originalname", None) or item.name
    suite = "all" if item.path.parent == SCENARIOS else str(item.path)
    words = ["harness", "run", suite, "--seed", _turn_of(item).seed, "-k", test]
    for option, chosen in (("--config", "--candy-config"), ("--testbed", "--testbed-settings"),
                           ("--deployment", "--deployment"), ("--backend-map", "--backend-map"),
                           ("--wallet", "--wallet")):  # fmt: skip
        if config.getoption(chosen) is not None:
            words += [option, str(config.getoption(chosen))]
    if config.getoption("--programs") != "committed":
        words += ["--programs", config.getoption("--programs")]
    words += places(*map(config.getoption, ("--ledger", "--database", "--backend", "--redis")))
    return shlex.join(words)
