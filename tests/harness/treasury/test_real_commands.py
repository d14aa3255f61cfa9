"""`harness treasury replay`, `calibrate` and `adversary` on the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.treasury import replay

RUNNER = CliRunner()


def test_replay_agrees_and_is_kept(tmp_path: Path) -> None:
    done = RUNNER.invoke(
        app, ["treasury", "replay", "--days", "1", "--seed", "3", "--runs", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    (kept,) = tmp_path.glob("*/replay.json")
    assert json.loads(kept.read_text())["paths"][0]["agrees"] is True


def test_ctrl_c_keeps_the_paths_that_were_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play, begun = replay.replay, []

    def cut(tape, folder, progress):
        begun.append(tape.path)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return play(tape, folder, progress)

    monkeypatch.setattr(replay, "replay", cut)
    asked = ["treasury", "replay", "--days", "1", "--paths", "3", "--runs", str(tmp_path)]
    assert RUNNER.invoke(app, asked).exit_code == 130
    assert len(begun) == 2
    (kept,) = tmp_path.glob("*/replay.json")
    content = json.loads(kept.read_text())
    assert content["interrupted"] is True
    assert [one["path"] for one in content["paths"]] == begun[:1]


def test_calibrate_tells_a_steady_crowd_from_a_changed_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    start = datetime(2026, 1, 2, tzinfo=UTC)

    def written(name: str, days: np.ndarray) -> str:
        lines = [f"{(start + timedelta(days=float(day))).isoformat()},,Common," for day in days]
        path = tmp_path / name
        path.write_text("\n".join(["minted_at,sold_at,tier,paid_lamports", *lines]) + "\n")
        return str(path)

    steady = written("steady.csv", np.sort(rng.uniform(0, 50, 500)))
    changed = written("changed.csv", np.sort(np.append(rng.uniform(0, 50, 500), np.full(900, 49))))
    for path, code in ((steady, 0), (changed, 99)):
        done = RUNNER.invoke(app, ["treasury", "calibrate", path, "--runs", str(tmp_path / "runs")])
        assert done.exit_code == code, done.output


def test_settings_of_a_file_are_used_and_options_go_before_them(tmp_path: Path) -> None:
    file = tmp_path / "treasury.toml"
    file.write_text("[adversary]\ndays = 1\npaths = 8\nmints_day_max = 3\n[rules]\nrate = 1\n")
    boxes = []
    for more in ((), ("--mints-day", "6")):
        folder = tmp_path / "-".join(("runs", *more))
        done = RUNNER.invoke(
            app, ["treasury", "adversary", str(file), "--runs", str(folder), *more]
        )
        assert done.exit_code == 0, done.output
        (kept,) = folder.glob("*/treasury.json")
        boxes.append(json.loads(kept.read_text())["mints_day"])
    assert boxes == pytest.approx([3, 6])


def test_adversary_reports_strategy_profit_and_price(tmp_path: Path) -> None:
    done = RUNNER.invoke(
        app,
        ["treasury", "adversary", "--days", "1", "--paths", "20", "--runs", str(tmp_path)],
    )
    assert done.exit_code == 0, done.output
    assert "186.96" in done.output  # 0.85 x 44.32 USD over 0.2014816 SOL
    assert "mint while a box brings" in done.output
