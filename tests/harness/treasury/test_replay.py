"""The model against the real thing: programs, backend and wallets come to the same treasury."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.treasury import (
    Behaviour,
    Books,
    Demand,
    DynamicRate,
    Economy,
    Gbm,
    Holders,
    QuoteHunters,
    Rules,
    Scenario,
    Shortfall,
    SkinIndex,
    Tape,
    TopUp,
    record,
)
from harness.treasury.replay import Replay, check_replayable, events_of, replay
from harness.treasury.tape import Step

SOL = 10**9
LOW = {"treasury_lamports": 100_200_000_000, "treasury_lamports_min": 100 * SOL}
EVERYBODY_SELLS = Behaviour((Holders(1.0),))


def tape(**parts: Any) -> Tape:
    values = {"days": 3, "demand": Demand(mints_day=4), "price": Gbm(sol_usd=100.0), **parts}
    return record(Scenario(**values), seed=7, paths=1)[0]


def played(folder: Path, one: Tape) -> Replay:
    for name in ("scenarios", "logs"):
        (folder / name).mkdir()
    return replay(one, folder)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"rules": Rules(**LOW)}, id="sales below the minimum are refused"),
        pytest.param(
            {"rules": Rules(**LOW, on_shortfall=Shortfall.PAUSE, resume_lamports=101 * SOL)},
            id="the operator pauses and resumes",
        ),
        pytest.param(
            {
                "rules": Rules(
                    treasury_lamports=150 * SOL,
                    treasury_lamports_min=100 * SOL,
                    dynamic_rate=DynamicRate(Decimal("0.5")),
                    top_up=TopUp(151 * SOL, 152 * SOL, 5 * SOL, delay_days=0),
                ),
                "skin_index": SkinIndex(volatility_year=0.8, table_follows=True),
            },
            id="rate, skin prices and the owner's money move",
        ),
        pytest.param(
            {
                "days": 0.03,
                "step_seconds": 300,
                "demand": Demand(mints_day=500),
                "price": Gbm(volatility_year=3.0),
                "rules": Rules(quote_life_seconds=900),
                "behaviour": Behaviour((Holders(1.0),), quote_hunters=QuoteHunters(0.5)),
            },
            id="quotes are kept for the best price",
        ),
    ],
)
def test_books_and_ledger_agree_to_the_lamport(tmp_path: Path, parts: dict[str, Any]) -> None:
    one = tape(**{"behaviour": EVERYBODY_SELLS, **parts})
    found = played(tmp_path, one)
    assert found.findings == ()
    assert found.first_difference is None
    assert [step.ledger_lamports for step in found.steps] == [
        step.treasury_lamports for step in one.steps
    ]
    assert sum(step.minted for step in found.steps) > 0
    assert sum(step.paid for step in found.steps) == sum(sum(step.paid) for step in one.steps)


def test_a_lamport_too_many_in_the_books_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Books.play

    def generous(self: Books, step: Step) -> object:
        self.treasury_lamports += step.step == 1
        return honest(self, step)

    monkeypatch.setattr(Books, "play", generous)
    found = played(tmp_path, tape(days=2, demand=Demand(mints_day=2)))
    assert found.first_difference is not None
    assert found.first_difference.step == 1
    assert not found.agrees


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"rules": Rules(sales_max_day=3)}, "sales_max_day"),
        ({"rules": Rules(payout_lamports_max_day=3)}, "payout_lamports_max_day"),
        ({"rules": Rules(on_shortfall=Shortfall.STOP)}, "on_shortfall"),
        ({"rules": Rules(buyback_fee_lamports=5000)}, "buyback_fee_lamports"),
        ({"economy": Economy(treasury_share=Decimal("0.5"))}, "treasury_share"),
        ({"economy": Economy(mint_price_lamports=1)}, "mint_price_lamports"),
    ],
)
def test_what_cannot_be_replayed_is_refused_before_anything_starts(
    tmp_path: Path, parts: dict[str, Any], said: str
) -> None:
    one = tape(days=2, **parts)
    with pytest.raises(UsageError, match=said):
        played(tmp_path, one)
    assert not list((tmp_path / "scenarios").iterdir())


def test_other_price_tables_are_refused() -> None:
    economy = Economy()
    tiers = (dataclasses.replace(economy.tiers[0], prices_usd=(Decimal(1),)), *economy.tiers[1:])
    scenario = Scenario(economy=dataclasses.replace(economy, tiers=tiers))
    with pytest.raises(UsageError, match=r"economy\.tiers"):
        check_replayable(scenario, 1)
    with pytest.raises(UsageError, match="at most 20000"):
        check_replayable(Scenario(rules=Rules()), 20_001)
    assert events_of(tape(days=1)) == sum(map(sum, _events(tape(days=1))))


def _events(one: Tape) -> list[tuple[int, ...]]:
    return [(*step.minted, *step.tried) for step in one.steps]
