"""One life cycle on a validator, Postgres and Redis in containers, and the program's upgrade."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.containers import require_engine
from harness.containers.reaper import RUN_LABEL, Reaper
from harness.run.runner import RunRequest, play

pytestmark = pytest.mark.usefixtures("docker")


def test_a_life_cycle_in_containers_is_that_of_the_embedded_ledger(tmp_path: Path) -> None:
    """Passed and judged on both, with the same skin, amounts and balances; nothing is left."""
    fast = tmp_path / "testbed.toml"
    fast.write_text("propagation_seconds = 0\n")
    told = {}
    for ledger, database, redis in (
        ("embedded", "embedded", None),
        ("validator", "container", "container"),
    ):
        code, report = play(
            RunRequest(
                suite="flow", seed="1", keyword="one_life", runs=tmp_path / ledger, ledger=ledger,
                database=database, redis=redis, testbed_settings=fast,
            )
        )  # fmt: skip
        assert code == 0
        lines = (report.parent / "journal.jsonl").read_text().splitlines()
        told[ledger] = [
            (line["kind"], line.get("action"), line.get("deltas"), line.get("answer"),
             line.get("skin"), line.get("lamports"), line.get("verdict"))
            for line in map(json.loads, lines)
        ]  # fmt: skip
        logs = {path.name for path in (report.parent / "logs").iterdir()}
    assert told["validator"] == told["embedded"]
    assert {"postgres-main.log", "redis-main.log"} <= logs
    assert any(name.endswith(".ledger.log") for name in logs)
    mine = f"{RUN_LABEL}={Reaper.of_this_process().run}"
    assert (
        require_engine().containers.list(all=True, ignore_removed=True, filters={"label": mine})
        == []
    )
