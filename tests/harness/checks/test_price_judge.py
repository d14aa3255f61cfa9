"""A payment at another price than the rule's: the judge of buybacks finds it, to the lamport.

Each backend here really pays wrong: it quotes, its player signs, the ledger pays out and the books
agree with the ledger. Only the price is not the one in force.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext

import pytest

from harness.checks import Judgement
from harness.checks.buybacks import judge_buybacks, payout_lamports
from harness.players.nft import Nft
from harness.players.player import Player
from harness.testbed import Testbed

pytestmark = pytest.mark.unjudged

Rule = Callable[[Decimal, Decimal, Decimal], int]
_SOL_USD = Decimal("103.37")  # divides nothing evenly: there is always something to round


@pytest.fixture
def opened(testbed: Testbed) -> tuple[Testbed, Player, Nft]:
    """A player with a revealed skin of 37.65 USD, at a SOL price that leaves a rest."""
    testbed.market.move(sol_usd=_SOL_USD)
    testbed.clock.sleep(300)  # no quote at the price before it can still be open
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    testbed.books.set_price("37.65", nft)
    return testbed, player, nft


def judged(testbed: Testbed) -> Judgement:
    return judge_buybacks(testbed.evidence())


def exact(price_usd: Decimal, sol_usd: Decimal, rate: Decimal) -> Decimal:
    with localcontext(prec=60):
        return price_usd * rate * 10**9 / sol_usd


def sold(bed: Testbed, player: Player, nft: Nft) -> int:
    """Sell, and what the treasury lost by it."""
    before = bed.balance_lamports(bed.deployment.treasury)
    player.sell(nft)
    return before - bed.balance_lamports(bed.deployment.treasury)


def pay_by(monkeypatch: pytest.MonkeyPatch, rule: Rule) -> None:
    """Let the backend pay by another rule; the skin's full worth, without a rate, stays right."""

    def paid(price_usd: Decimal, sol_usd: Decimal, rate: Decimal = Decimal(1)) -> int:
        asked = payout_lamports if rate == 1 else lambda price, rate, sol: rule(price, sol, rate)
        return asked(price_usd, rate, sol_usd)

    monkeypatch.setattr("backend.service.buyback.to_lamports", paid)


def rounded(how: str) -> Rule:
    return lambda price, sol, rate: int(exact(price, sol, rate).to_integral_value(how))


def nudged(which: str) -> Rule:
    """The rule with one of its numbers as little off as makes the amount a lamport less."""

    def rule(price: Decimal, sol: Decimal, rate: Decimal) -> int:
        with localcontext(prec=60):
            right = payout_lamports(price, rate, sol)
            factor = (Decimal(right) - Decimal("0.5")) / exact(price, sol, rate)
            numbers = {"price": price, "rate": rate, "sol": 1 / sol}
            numbers[which] *= factor
            assert abs(1 - factor) < Decimal("1e-7")
            amount = payout_lamports(numbers["price"], numbers["rate"], 1 / numbers["sol"])
        assert amount == right - 1
        return amount

    return rule


def test_the_right_price_is_not_found_fault_with(opened: tuple[Testbed, Player, Nft]) -> None:
    testbed, player, nft = opened
    player.sell(nft)
    assert judged(testbed).findings == ()
    assert judged(testbed).counted["paid_lamports"] == payout_lamports(
        Decimal("37.65"), Decimal("0.85"), _SOL_USD
    )


@pytest.mark.parametrize(
    ("rule", "off"),
    [
        (nudged("rate"), -1),
        (nudged("sol"), -1),
        (nudged("price"), -1),
        (rounded(ROUND_CEILING), 1),
        (lambda *numbers: rounded(ROUND_CEILING)(*numbers) + 1, 2),
        (lambda *numbers: rounded(ROUND_FLOOR)(*numbers) // 10**9 * 10**9, None),
    ],
    ids=["rate", "SOL price", "skin price", "rounded up", "and one more", "whole SOL"],
)
def test_a_lamport_beside_the_rule(
    opened: tuple[Testbed, Player, Nft],
    monkeypatch: pytest.MonkeyPatch,
    rule: Rule,
    off: int | None,
) -> None:
    testbed, player, nft = opened
    if off is None:
        testbed.books.set_price("370.65", nft)
    right = payout_lamports(testbed.books.price_of(nft), Decimal("0.85"), _SOL_USD)
    pay_by(monkeypatch, rule)
    paid = sold(testbed, player, nft)
    assert off is None or paid == right + off, "what is tested is one lamport"
    (finding,) = judged(testbed).findings
    assert finding.startswith(f"{nft.name}: paid {paid} lamports, ")
    assert finding.endswith(f" is {right}")


def test_half_up_is_found_where_it_rounds_up(
    opened: tuple[Testbed, Player, Nft], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the rest is less than a half, both rules pay the same, and there is nothing to find."""
    testbed, player, _ = opened
    pay_by(monkeypatch, rounded(ROUND_HALF_UP))
    wrong = []
    for cents in range(1, 7):
        nft = player.mint()
        player.reveal(nft)
        price = Decimal(cents) / 100
        testbed.books.set_price(price, nft)
        player.sell(nft)
        if exact(price, _SOL_USD, Decimal("0.85")) % 1 >= Decimal("0.5"):
            wrong.append(nft.name)
    found = [finding.partition(":")[0] for finding in judged(testbed).findings]
    assert 0 < len(wrong) < 6
    assert sorted(found) == sorted(wrong)


@pytest.mark.parametrize(("seconds", "findings"), [(110, 0), (130, 1)])
@pytest.mark.parametrize("moved", [{"sol_usd": "200"}, {"rate": Decimal("0.5")}],
                         ids=["SOL price", "rate"])  # fmt: skip
def test_a_stale_price(
    opened: tuple[Testbed, Player, Nft], monkeypatch: pytest.MonkeyPatch,
    moved: dict[str, Decimal | str], seconds: int, findings: int,
) -> None:  # fmt: skip
    """The backend holds on to old terms. A payment may have been quoted as long ago as a
    blockhash lives, two minutes at most; what is paid later by the old terms is found."""
    testbed, player, nft = opened
    monkeypatch.setattr(testbed.market, "payout_price", lambda: _SOL_USD)
    testbed.market.move(**moved)  # type: ignore[arg-type]
    testbed.clock.sleep(seconds)
    player.sell(nft)
    found = judged(testbed).findings
    assert len(found) == findings
    assert all("at the prices in force when it was quoted is" in finding for finding in found)


def test_a_price_that_came_later(
    opened: tuple[Testbed, Player, Nft], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paid by a price which the market reached only afterwards: never in force, so found."""
    testbed, player, nft = opened
    monkeypatch.setattr(testbed.market, "payout_price", lambda: Decimal("90"))
    player.sell(nft)
    testbed.clock.sleep(1)
    testbed.market.move(sol_usd="90")
    assert len(judged(testbed).findings) == 1
