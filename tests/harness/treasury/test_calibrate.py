"""Calibration finds what records were made from; its forecasts are right as often as they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.testbed import Testbed
from harness.treasury.calibrate import Fitting, back_test, calibrate
from harness.treasury.records import Item, Records, from_csv, from_database, from_journal
from harness.treasury.scenario import Scenario


def made(
    seed: int,
    *,
    days: float = 100.0,
    mints_day: float = 20.0,
    once: float = 0.4,
    sellers: float = 0.3,
    hazard: float = 0.05,
) -> Records:
    """Boxes of people whose habits are known."""
    rng = np.random.default_rng(seed)
    items = []
    for minted in np.sort(rng.uniform(0, days, rng.poisson(mints_day * days))):
        kind = rng.random()
        held = (
            rng.uniform(0, 1)
            if kind < once
            else 1 + rng.exponential(1 / hazard)
            if kind < once + sellers
            else np.inf
        )
        sold = minted + held if minted + held < days else None
        items.append(Item(minted, sold, "Common", None if sold is None else 1))
    return Records(tuple(items), days)


def test_what_the_records_were_made_from_is_found() -> None:
    found = calibrate(made(1, days=400))
    assert found.mints_day.low < 20 < found.mints_day.high
    assert found.sold_at_once.low < 0.4 < found.sold_at_once.high
    assert found.seller_share == pytest.approx(0.3, abs=0.03)
    assert found.hazard_day == pytest.approx(0.05, rel=0.15)
    assert found.dispersion_p > 0.001
    applied = found.applied(Scenario())
    assert applied.demand.mints_day == found.mints_day.value
    assert applied.behaviour.sold_at_once == found.sold_at_once.value


def test_bursts_are_not_taken_for_poisson() -> None:
    steady = made(2)
    bursts = Records(
        tuple(
            Item(item.minted_day // 10 * 10 + item.minted_day % 1, None, item.tier, None)
            for item in steady.items
        ),
        steady.days,
    )
    assert calibrate(bursts).dispersion_p < 1e-6


def test_forecasts_hold_as_often_as_their_level_says() -> None:
    tests = [back_test(made(seed, days=60, mints_day=8), Fitting(draws=500)) for seed in range(40)]
    for covered in (
        sum(t.mints_forecast.low <= t.mints <= t.mints_forecast.high for t in tests),
        sum(t.sales_forecast.low <= t.sales <= t.sales_forecast.high for t in tests),
    ):
        assert covered >= 33  # of 40 at 95 %: fewer has a chance of 0.1 %


def test_a_changed_crowd_is_noticed() -> None:
    before, after = made(3, days=70), made(4, days=30, mints_day=60)
    moved = tuple(
        Item(i.minted_day + 70, None if i.sold_day is None else i.sold_day + 70, i.tier, None)
        for i in after.items
    )
    assert not back_test(Records((*before.items, *moved), 100.0)).holds


def test_too_few_boxes_and_bad_splits_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 20 boxes"):
        calibrate(made(5, days=2, mints_day=1))
    for name, value in (("split", 1.0), ("level", 0.0), ("at_once_days", 0.0), ("draws", 5)):
        with pytest.raises(UsageError, match=f"{name}: must be"):
            Fitting(**{name: value})


def test_what_counts_as_at_once_is_a_setting() -> None:
    records = made(6)
    day, hour = (calibrate(records, Fitting(at_once_days=days)) for days in (1.0, 1 / 24))
    assert hour.sold_at_once.value < day.sold_at_once.value / 10


def test_csv_and_journal_give_the_same_table(tmp_path: Path) -> None:
    start = datetime(2026, 1, 2, tzinfo=UTC)
    later = start + timedelta(days=2)
    table = tmp_path / "boxes.csv"
    table.write_text(
        "minted_at,sold_at,tier,paid_lamports\n"
        f"{start.isoformat()},{later.isoformat()},Rare,250\n"
        f"{later.isoformat()},,Common,\n"
    )
    common = {"scenario": "one", "seq": 1}
    lines = [
        {**common, "at": start.isoformat(), "kind": "reveal", "nft": "nft-1", "tier": "Rare"},
        {**common, "at": later.isoformat(), "kind": "reveal", "nft": "nft-2", "tier": "Common"},
        {
            **common, "at": later.isoformat(), "kind": "transaction", "nft": "nft-1",
            "action": "buyback", "outcome": "landed", "deltas": {"treasury": -250},
        },
    ]  # fmt: skip
    journal = tmp_path / "journal.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert from_csv(table) == from_journal(journal)
    assert from_csv(table).items[0] == Item(0.0, 2.0, "Rare", 250)


def test_a_backends_own_books(testbed: Testbed) -> None:
    player = testbed.player()
    sold, kept = player.mint(), player.mint()
    for nft in (sold, kept):
        player.reveal(nft)
    lamports = player.quote(sold).lamports
    player.sell(sold)
    found = from_database(testbed.engine)
    assert [item.paid_lamports for item in found.items] == [lamports, None]
    assert found.items[0].sold_day is not None
    assert found.days > 0


def test_times_with_and_without_a_zone_and_a_byte_order_mark_are_taken(tmp_path: Path) -> None:
    """A time without a zone is UTC, as in draws."""
    path = tmp_path / "boxes.csv"
    path.write_text(
        "\ufeffminted_at,sold_at,tier,paid_lamports\n"
        "2026-01-01T00:00:00,2026-01-01T18:00:00Z,Rare,250\n2026-01-01T13:00:00+01:00,,Rare,\n",
        encoding="utf-8",
    )
    assert from_csv(path).items == (Item(0.0, 0.75, "Rare", 250), Item(0.5, None, "Rare", None))


@pytest.mark.parametrize("name", ["boxes.csv", "journal.jsonl"])
def test_records_that_are_no_text_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes("minted_at,sold_at,tier,paid_lamports\n2026,,Ordinär,\n".encode("latin-1"))
    read = from_csv if name.endswith(".csv") else from_journal
    with pytest.raises(UsageError, match=f"{name}: is not UTF-8"):
        read(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("minted_at,tier\n", "the column paid_lamports is missing"),
        ("minted_at,sold_at,tier,paid_lamports\nnow,,Rare,\n", "line 2"),
        ("minted_at,sold_at,tier,paid_lamports\n2026-01-02,2026-01-01,Rare,5\n", "line 2"),
        ("minted_at,sold_at,tier,paid_lamports\n", "no revealed box"),
    ],
)
def test_records_that_cannot_be_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        from_csv(path)
