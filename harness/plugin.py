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
import shlex
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.run.session import RunSession
    from harness.testbed import Testbed

DEFAULT_SEED = "1"

_SESSION = pytest.StashKey["RunSession"]()
_VERDICT = pytest.StashKey[dict[str, str]]()


class ScenarioFindings(AssertionError):
    """What the judges found after a scenario that itself went through."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mystery box testbed")
    group.addoption("--seed", default=DEFAULT_SEED, help="seed of the run (default: %(default)s)")
    group.addoption("--candy-config", type=Path, help="sugar config.json (default: the guide's)")
    group.addoption("--testbed-settings", type=Path, help="testbed.toml with treasury and prices")
    group.addoption("--ledger", default="embedded", help="embedded, validator or an RPC URL")
    group.addoption("--wallet", type=Path, help="key file that pays on a ledger behind a URL")
    group.addoption("--database", default="embedded", help="embedded, container or a URL")
    group.addoption(
        "--programs", default="committed", help="committed, fetched or a folder with ELFs"
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
        "markers", "unjudged: the test breaks the economy on purpose, so that judges must not look"
    )
    config.addinivalue_line("markers", "smoke: the short suite that `harness run` plays")


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
        ),
        worker=getattr(config, "workerinput", {}).get("workerid", "main"),
    )
    config.stash[_SESSION] = session
    return session


@pytest.fixture
def testbed(request: pytest.FixtureRequest, run_session: RunSession) -> Iterator[Testbed]:
    """A running economy of this test's own."""
    from harness.errors import EXIT_ENVIRONMENT, StartError

    marker = request.node.get_closest_marker("testbed")
    scenario = scenario_name(request.node)
    story = inspect.getdoc(request.function) or ""
    try:
        with run_session.testbed(
            scenario,
            title=first_sentence(story),
            story=story,
            changes=dict(marker.kwargs) if marker else {},
        ) as bed:
            yield bed
            verdict = request.node.stash.get(_VERDICT, {"outcome": "skipped", "message": ""})
            bed.journal.write("verdict", **verdict)
    except StartError as error:
        pytest.exit("\n".join([str(error), *error.log_lines]), returncode=EXIT_ENVIRONMENT)


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
    except BaseException as error:
        item.stash[_VERDICT] = _failed(item, f"{type(error).__name__}: {error}", bed)
        bed.judge()
        raise
    found = [
        f"{judgement.judge}: {finding}"
        for judgement in bed.judge()
        for finding in judgement.findings
    ]
    if found:
        item.stash[_VERDICT] = _failed(item, "; ".join(found), bed)
        raise ScenarioFindings("the judges found:\n  " + "\n  ".join(found))
    item.stash[_VERDICT] = {"outcome": "passed", "message": ""}
    return result


def _failed(item: pytest.Item, message: str, bed: Testbed) -> dict[str, str]:
    return {
        "outcome": "failed",
        "message": bed.book.redact(message),
        "replay": replay_command(item.config, getattr(item, "originalname", None) or item.name),
    }


def places(ledger: str, database: str) -> list[str]:
    """The options that choose where a run plays, without the defaults. A URL may hold a password
    or a key, so only its kind is told: the words say which variable to put it into."""
    words = []
    for option, chosen, variable in (
        ("--ledger", ledger, "SOLANA_RPC_URL"),
        ("--database", database, "DATABASE_URL"),
    ):
        if chosen != "embedded":
            words += [option, variable if "://" in chosen else chosen]
    return words


def replay_command(config: pytest.Config, test: str) -> str:
    """The one command that plays a scenario again."""
    words = ["harness", "run", "all", "--seed", str(config.getoption("--seed")), "-k", test]
    for option, chosen in (("--config", "--candy-config"), ("--testbed", "--testbed-settings")):
        if config.getoption(chosen) is not None:
            words += [option, str(config.getoption(chosen))]
    if config.getoption("--programs") != "committed":
        words += ["--programs", config.getoption("--programs")]
    words += places(config.getoption("--ledger"), config.getoption("--database"))
    return shlex.join(words)
