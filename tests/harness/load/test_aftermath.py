"""The judges of what a load leaves: each sees what it is there to see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from harness.database import EmbeddedPostgres
from harness.load.aftermath import judge_limits, judge_resources
from harness.load.profile import profile_from
from harness.load.records import OK, Record, records_of
from harness.load.watch import Sample


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    log: Path = tmp_path_factory.mktemp("aftermath") / "log"
    with EmbeddedPostgres.start(log) as server:
        engine = create_engine(server.create_database("aftermath"))
        yield engine
        engine.dispose()


def sample(open_files: int = 20, rss_mb: int = 100) -> Sample:
    return Sample(0.0, "backend", 0.1, 0.1, rss_mb * 10**6, open_files)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.load.aftermath._SETTLE_SECONDS_MAX", 0.0)


def test_nothing_left_behind(engine: Engine) -> None:
    judgement = judge_resources(lambda: [sample(), sample(40, 150)], engine)
    assert judgement.passed
    assert judgement.counted["open_files_after"] == 40


@pytest.mark.parametrize(
    ("after", "said"),
    [(sample(open_files=200), "200 open files"), (sample(rss_mb=300), "300 MB of memory")],
)
def test_a_leak_is_found(engine: Engine, after: Sample, said: str) -> None:
    judgement = judge_resources(lambda: [sample(), after], engine)
    assert said in judgement.findings[0]


def test_a_transaction_left_open_is_found(engine: Engine) -> None:
    with engine.connect() as forgotten:
        forgotten.execute(text("select 1"))
        judgement = judge_resources(lambda: [sample(), sample()], engine)
    assert "idle in a transaction" in judgement.findings[0]


def test_a_backend_that_is_gone_is_found(engine: Engine) -> None:
    assert not judge_resources(lambda: [], engine).passed


def test_limits_that_do_not_hold_are_found() -> None:
    limited = profile_from(
        {"mix": {"bot": 1}, "rate_limits": True, "stages": [{"seconds": 60, "rate": 1}]}, "limited"
    )
    served = [Record(at, at, at, 0, "bot", OK, 200, "") for at in range(9)]
    assert judge_limits(records_of(served), limited).passed
    assert not judge_limits(records_of(served * 2), limited).passed
