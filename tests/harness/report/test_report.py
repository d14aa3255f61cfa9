"""The report renders whatever a run left, tells nobody outside, and its numbers are right."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.journal import read_journal
from harness.report import render
from harness.report.charts import clopper_pearson
from harness.report.figures import collect

HOSTILE = '<script>alert(1)</script> | `x` & "quotes"'


def line(scenario: str, seq: int, kind: str, **fields: Any) -> dict[str, Any]:
    at = f"2026-01-02T00:00:{seq:02d}.000+00:00"
    return {"scenario": scenario, "seq": seq, "at": at, "kind": kind, **fields}


def a_run(folder: Path, *, failing: bool = False) -> Path:
    """A small run's folder, with one scenario that passed and, on request, one that failed."""
    config = {"odds": {"Common": "0.5", "Legendary": "0.5"}}
    transaction = {
        "actor": "player-1", "outcome": "landed", "error": None, "slot": 4, "compute_units": 200,
        "compute_units_limit": 800, "size_bytes": 900, "fee_lamports": 5000,
        "instructions": [{"program": "candy_guard", "name": "MintV2", "compute_units": 5}],
        "signers": ["player-1"], "nft": "nft-1", "deltas": {"player-1": -5}, "logs": [HOSTILE],
    }  # fmt: skip
    lines = [
        line("test_a::test_one", 0, "scenario", title=HOSTILE, story=HOSTILE, config=config),
        *(
            line("test_a::test_one", n, "transaction", action=action, **transaction)
            for n, action in enumerate(("mint", "reveal", "buyback"), start=1)
        ),
        line("test_a::test_one", 4, "reveal", nft="nft-1", tier="Common", skin="x"),
        line("test_a::test_one", 5, "http", actor="player-1", method="GET", nft="nft-1",
             route="/buyback/calculate/{nftMint}", status=200, error_code=None, answer={"a": 1}),
        line("test_a::test_one", 6, "treasury", lamports=5 * 10**9, min_lamports=10**9, cause="x"),
        line("test_a::test_one", 7, "treasury", lamports=6 * 10**9, min_lamports=10**9, cause="y"),
        line("test_a::test_one", 8, "check", judge="j", verdict="passed", findings=[],
             counted={"minted": 1, "paid": 1}),
        line("test_a::test_one", 9, "verdict", outcome="passed", message=""),
    ]  # fmt: skip
    if failing:
        lines += [
            line("test_b::test_two", 0, "scenario", title="It breaks", story="", config={}),
            line("test_b::test_two", 1, "check", judge="j", verdict="failed",
                 findings=["one lamport is missing"], counted={}),
            line("test_b::test_two", 2, "verdict", outcome="failed", message="one lamport",
                 replay="harness run all --seed 7 -k test_two"),
        ]  # fmt: skip
    (folder / "journal.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    run = {"suite": "smoke", "seed": "7", "exit_code": int(failing), "command": "harness run"}
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def test_a_passed_run(tmp_path: Path) -> None:
    page = render(a_run(tmp_path)).read_text()
    assert "<strong>Passed.</strong>" in page
    assert page.count("<svg") == 4
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["passed"] is True
    assert summary["counted"]["mints"] == 1
    assert (tmp_path / "summary.md").read_text().startswith("## Passed: smoke, seed 7")


def test_what_was_skipped_is_not_said_to_have_gone_as_told(tmp_path: Path) -> None:
    a_run(tmp_path)
    skipped = [
        line("test_c::test_three", 0, "scenario", title="It needs more", story="", config={}),
        line("test_c::test_three", 1, "verdict", outcome="skipped", message="needs operator"),
    ]
    with (tmp_path / "journal.jsonl").open("a") as journal:
        journal.write("".join(json.dumps(one) + "\n" for one in skipped))
    page = " ".join(render(tmp_path).read_text().split())
    assert "1 of 2 scenarios went as told" in page
    assert "1 was skipped and proves nothing" in page
    assert "<li>1: needs operator</li>" in page
    counted = json.loads((tmp_path / "summary.json").read_text())["counted"]
    assert (counted["scenarios"], counted["skipped"]) == (1, 1)


def test_boxes_with_odds_of_their_own_are_not_counted_with_the_guides(tmp_path: Path) -> None:
    a_run(tmp_path)
    more = [
        line("test_a::test_one", 10, "box", box="golden", odds={"Common": "1"}),
        line("test_a::test_one", 11, "reveal", nft="nft-2", tier="Common", skin="x", box="golden"),
    ]
    with (tmp_path / "journal.jsonl").open("a") as journal:
        journal.write("".join(json.dumps(one) + "\n" for one in more))
    figures = collect(read_journal(tmp_path / "journal.jsonl"), {})
    assert [(one.tier, one.seen, one.total) for one in figures.tiers()] == [
        ("Common", 1, 1), ("Legendary", 0, 1)
    ]  # fmt: skip
    assert figures.counted()["reveals"] == 2


def test_a_life_with_a_refused_transaction_is_not_the_plain_one(tmp_path: Path) -> None:
    """What the ledger refused has no slot, and no place in the picture of a life."""
    a_run(tmp_path)
    refused = line("test_a::test_one", 10, "transaction", actor="player-1", action="buyback",
                   outcome="refused", nft="nft-1", error={"name": "x", "message": "y"})  # fmt: skip
    with (tmp_path / "journal.jsonl").open("a") as journal:
        journal.write(json.dumps(refused) + "\n")
    page = render(tmp_path).read_text()
    assert "One life cycle" not in page
    assert "<td>refused: x" in page


def test_a_failed_run_says_first_what_broke_and_how_to_replay(tmp_path: Path) -> None:
    page = render(a_run(tmp_path, failing=True)).read_text()
    assert "1 of 2 scenarios failed" in page
    assert page.index("It breaks") < page.index("life cycle")
    assert "harness run all --seed 7 -k test_two" in page
    assert "one lamport is missing" in page
    assert "FAILED" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize("content", [None, ""])
def test_a_run_that_broke_at_once_has_a_report_too(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "journal.jsonl").write_text(content)
    page = render(tmp_path).read_text()
    assert "Nothing was played" in page
    assert "<strong>Passed" not in page


def test_a_run_that_was_interrupted_does_not_say_passed(tmp_path: Path) -> None:
    a_run(tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**run, "exit_code": 2}))
    page = render(tmp_path).read_text()
    assert "The run ended early." in page
    assert "<strong>Passed" not in page


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    page = render(a_run(tmp_path)).read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in (tmp_path / "summary.md").read_text()


def test_the_page_asks_nobody_for_anything(tmp_path: Path) -> None:
    page = render(a_run(tmp_path)).read_text()
    assert re.findall(r"""(?:src|href|url\()\s*=?\s*["']?\s*(?:https?:)?//""", page) == []


def test_same_run_same_bytes(tmp_path: Path) -> None:
    first = render(a_run(tmp_path)).read_bytes()
    assert render(tmp_path).read_bytes() == first


@pytest.mark.parametrize(
    ("seen", "total", "low", "high"),
    # R 4.3, binom.test(x, n)$conf.int
    [(0, 10, 0.0, 0.3084971), (3, 10, 0.06673951, 0.6524529), (10, 10, 0.6915029, 1.0)],
)
def test_intervals_are_r_s(seen: int, total: int, low: float, high: float) -> None:
    assert clopper_pearson(seen, total) == pytest.approx((low, high), abs=1e-6)
