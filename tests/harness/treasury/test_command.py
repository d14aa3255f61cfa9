"""`harness treasury` as a person types it: words, exit codes, files left behind."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.main import main

EXAMPLES = Path(__file__).parents[3] / "harness" / "treasury" / "examples"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["harness", "treasury", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0

    return call


def told(folder: Path) -> dict:
    (file,) = folder.glob("runs/*/treasury.json")
    return json.loads(file.read_text())


def test_simulate(harness, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("simulate", str(EXAMPLES / "guide.toml"), "--paths", "2000") == 0
    content = told(tmp_path)
    assert content["paths"] == 2000
    assert content["kernel"] == "base"
    assert 0 < content["ruin"]["low"] < content["ruin"]["high"] < 0.3
    assert "probability of a refused sale" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_played(
    harness, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of paths was played first, and lost."""
    (tmp_path / "file").touch()

    def played(*_: object, **__: object) -> None:
        raise AssertionError("it played first")

    monkeypatch.setattr("harness.treasury.simulation.simulate", played)
    assert harness("simulate", "--runs", "file/runs") == 2
    said = capsys.readouterr().err
    assert (
        said
        == f"harness: file/runs: cannot be made: {tmp_path / 'file'} is no folder; see --runs\n"
    )
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert harness("simulate", "--runs", "new/runs") == 2
    said = capsys.readouterr().err
    assert said.startswith("harness: new/runs: cannot be written: no permission for ")
    assert not (tmp_path / "new").exists()


def test_no_heading_is_cut_off_at_80_columns(
    harness, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    vary = ("rules.treasury_lamports=4e11", "demand.mints_day=1", "price.volatility_year=1")
    assert harness("frontier", "--paths", "1", *(f"--vary={one}" for one in vary)) == 0
    said = capsys.readouterr().out
    assert "…" not in said
    assert "efficien" in said


def test_an_interval_without_an_end_is_null_in_json(harness, tmp_path: Path) -> None:
    """JSON knows no Infinity: other languages refuse the whole file."""
    assert harness("simulate", "--paths", "1") == 0
    (file,) = tmp_path.glob("runs/*/treasury.json")
    assert "Infinity" not in file.read_text()
    assert "NaN" not in file.read_text()
    assert told(tmp_path)["value_at_risk_99_sol"]["high"] is None


def test_simulate_at_another_level(harness, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for level in ("0.9", "0.95"):
        assert harness("simulate", "--paths", "2000", "--level", level) == 0
        said = capsys.readouterr().out
        (line,) = [one for one in said.splitlines() if one.startswith("value at risk")]
        assert f"{float(level) * 100:g} %" in line
        shown[level] = float(line.split()[-1].replace(",", ""))
    assert shown["0.9"] < shown["0.95"]
    assert harness("simulate", "--level", "1.2") == 2


def _cut_after_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.treasury import workers

    importlib.import_module("harness.treasury.simulation")

    real = workers.in_order

    def cut(work, pieces, **how):
        answers = real(work, pieces, **how)
        yield next(answers)
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["harness.treasury.simulation"], "in_order", cut)


def test_interrupted(harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the first block: 130, and what is done is kept."""
    _cut_after_a_block(monkeypatch)
    assert harness("simulate", str(EXAMPLES / "guide.toml"), "--paths", "100000") == 130
    assert told(tmp_path)["interrupted"] is True
    assert told(tmp_path)["paths"] == 16_384


def test_an_interrupted_gate_is_no_verdict(
    harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the limit is crossed in what was played: 130, not 99."""
    _cut_after_a_block(monkeypatch)
    (tmp_path / "guide.toml").write_text((EXAMPLES / "guide.toml").read_text())
    (tmp_path / "policy.toml").write_text(
        'scenario = "guide.toml"\npaths = 100000\n[limits]\nruin_max = 0.0001\n'
    )
    assert harness("gate", "policy.toml") == 130
    assert "16,384 of 100,000 paths; this is no verdict" in capsys.readouterr().err
    assert told(tmp_path)["result"]["paths"] == 16_384


@pytest.mark.parametrize(
    ("command", "answers", "kept"),
    [
        pytest.param(("stress", "--paths", "20"), 3, ("stress", 3), id="stress"),
        pytest.param(
            ("frontier", "--vary", "rules.rate=0.5,0.6,0.7", "--paths", "200"), 2, ("frontier", 2),
            id="frontier",
        ),
        pytest.param(
            ("sensitivity", "--sets", "16", "--paths", "64"), 60, ("sensitivity", 5),
            id="sensitivity",
        ),
        pytest.param(("reserve", "--paths", "200"), 4, ("best_falling_rate", 5), id="reserve"),
    ],
)  # fmt: skip
def test_ctrl_c_keeps_the_rows_that_are_done(
    harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...], answers: int, kept: tuple[str, int],
) -> None:  # fmt: skip
    from harness.treasury.workers import Crew

    real, given = Crew.in_order, []

    def cut(self, work, pieces):
        for answer in real(self, work, pieces):
            if len(given) == answers:
                raise KeyboardInterrupt
            given.append(answer)
            yield answer

    monkeypatch.setattr(Crew, "in_order", cut)
    (tmp_path / "short.toml").write_text('days = 10\n[rules]\non_shortfall = "stop"\n')
    assert harness(command[0], "short.toml", *command[1:]) == 130
    assert "interrupted: " in capsys.readouterr().err
    content = told(tmp_path)
    assert content["interrupted"] is True
    name, number = kept
    assert len(content[name]) == number


def test_ctrl_c_keeps_the_best_strategy_so_far(
    harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.treasury import adversary

    real, tried = adversary._Board.worth, []

    def cut(self, strategy):
        if len(tried) == 5:
            raise KeyboardInterrupt
        tried.append(strategy)
        return real(self, strategy)

    monkeypatch.setattr(adversary._Board, "worth", cut)
    assert harness("adversary", "--days", "1", "--paths", "8") == 130
    assert told(tmp_path)["tried"] == 5


@pytest.mark.parametrize(("limit", "code"), [(0.5, 0), (0.0001, 99)])
def test_gate(harness, tmp_path: Path, limit: float, code: int) -> None:
    (tmp_path / "guide.toml").write_text((EXAMPLES / "guide.toml").read_text())
    (tmp_path / "policy.toml").write_text(
        f'scenario = "guide.toml"\npaths = 3000\n[limits]\nruin_max = {limit}\n'
    )
    assert harness("gate", "policy.toml") == code
    (finding,) = told(tmp_path)["findings"]
    assert finding["passed"] is (code == 0)
    assert finding["compared"] > finding["value"] > 0.0001


@pytest.mark.parametrize("limit", ["drawdown_95_sol_max", "expected_shortfall_99_sol_max"])
@pytest.mark.parametrize(("paths", "code"), [(1, 99), (3000, 0)])
def test_too_few_paths_cannot_pass_a_gate(
    harness, tmp_path: Path, limit: str, paths: int, code: int
) -> None:
    """One path says nothing about the worst of a hundred; many do, with a margin."""
    (tmp_path / "guide.toml").write_text((EXAMPLES / "guide.toml").read_text())
    (tmp_path / "policy.toml").write_text(
        f'scenario = "guide.toml"\npaths = {paths}\n[limits]\n{limit} = 700\n'
    )
    assert harness("gate", "policy.toml") == code
    (finding,) = told(tmp_path)["findings"]
    assert finding["value"] < 700
    assert finding["value"] < float(finding["compared"])


@pytest.mark.parametrize(
    ("policy", "code", "crossed"),
    [
        ("policy.toml", 0, set()),
        (
            "policy-strict.toml",
            99,
            {"ruin_max", "drawdown_95_sol_max", "arbitrage_sol_usd_max"},
        ),
    ],
)
def test_the_policies_that_are_shipped(
    harness, tmp_path: Path, policy: str, code: int, crossed: set[str]
) -> None:
    assert harness("gate", str(EXAMPLES / policy)) == code
    findings = told(tmp_path)["findings"]
    assert len(findings) == 3
    assert {one["name"] for one in findings if not one["passed"]} == crossed


def test_rare(harness, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "treasury.toml").write_text(
        "days = 20\n[rules]\ntreasury_lamports = 160_000_000_000\n[price]\nsol_usd = 110\n"
    )
    assert harness("rare", "treasury.toml") == 0
    rare = told(tmp_path)["rare"]
    assert rare["method"] == "importance"
    assert 0 < rare["ruin"]["low"] < rare["ruin"]["value"] < rare["ruin"]["high"] < 0.5
    assert "paths that plain simulation would need" in capsys.readouterr().out
    assert harness("rare", "treasury.toml", "--method", "magic") == 2
    assert harness("rare", "treasury.toml", "--relative-error", "0.001", "--paths-max", "1000") == 1
    told_so = capsys.readouterr().out
    assert "the limit of 1,000 paths came before a relative error of 0.001" in told_so


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ('scenario = "guide.toml"\n[limits]\n', "names no limit"),
        ('scenario = "guide.toml"\n[limits]\nruin = 1\n', "ruin: unknown key"),
        ("[limits]\nruin_max = 1\n", "scenario is missing"),
        ('scenario = "none.toml"\n[limits]\nruin_max = 1\n', "cannot be read"),
    ],
)
def test_a_policy_that_asks_nothing_sensible(
    harness, tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str, words: str
) -> None:
    (tmp_path / "guide.toml").write_text("")
    (tmp_path / "policy.toml").write_text(policy)
    assert harness("gate", "policy.toml") == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_frontier_fit_and_schema(
    harness, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = str(EXAMPLES / "guide.toml")
    assert harness("frontier", guide, "--vary", "rules.rate=0.5,0.9", "--paths", "500") == 0
    assert len(told(tmp_path)["frontier"]) == 2
    assert harness("schema") == 0
    assert '"$schema": "http://json-schema.org/draft-07/schema#"' in capsys.readouterr().out
    assert harness("frontier", guide, "--vary", "rules.rate=a,b") == 2
    assert harness("simulate", "--paths", "0") == 2
    assert harness("simulate", "--dask", "tcp://127.0.0.1:9") == 3
