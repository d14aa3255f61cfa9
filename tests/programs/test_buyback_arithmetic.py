"""The buyback's one subtraction, at the edges of what sixty-four bits and a treasury hold."""

from __future__ import annotations

from typing import Any

import pytest

from harness.submission import sign
from programs.buyback import client as buyback

U64_MAX = 2**64 - 1
RENT_EXEMPT_MIN = 890_880  # an account without data
MINIMUMS = ("0", "1", "half", "balance - 1", "balance", "balance + 1", "most")


def expected(balance: int, minimum: int, amount: int) -> str:
    """What the rule says, in whole numbers of any size."""
    if amount == 0:
        return "InvalidAmount"
    left = balance - amount
    if left < max(minimum, 0):
        return "InsufficientTreasury"
    if 0 < left < RENT_EXEMPT_MIN:
        return "InsufficientFundsForRent"
    return "landed"


@pytest.mark.parametrize("minimum", MINIMUMS)
def test_every_amount_at_every_minimum(props: Any, minimum: str) -> None:
    economy = props.economy
    held = props.nft(economy.deployment.collection_mint)
    treasury = economy.treasury.pubkey()
    balance = economy.balance(treasury)
    floor = {
        "0": 0, "1": 1, "half": balance // 2, "balance - 1": balance - 1, "balance": balance,
        "balance + 1": balance + 1, "most": U64_MAX,
    }[minimum]  # fmt: skip
    props.do(buyback.set_min_treasury_balance(authority=props.payer, min_treasury_balance=floor))
    spare = max(balance - floor, 0)
    named = {
        "0": 0, "1": 1, "spare - 1": spare - 1, "spare": spare, "spare + 1": spare + 1,
        "balance - 1": balance - 1, "balance": balance, "balance + 1": balance + 1,
        "overflow": U64_MAX - floor + 1,  # minimum + amount = 2**64
        "2**63": 2**63, "most": U64_MAX,
    }  # fmt: skip
    paid = []
    for name, amount in named.items():
        if not 0 <= amount <= U64_MAX:
            continue
        rule = expected(balance, floor, amount)
        if rule == "landed":
            paid.append(amount)
            assert simulated(economy, held.sale(amount=amount)), name
            continue
        sent = held.sell(amount=amount)
        assert (sent.outcome, sent.fault.name) == ("refused", rule), (name, sent.logs)
    assert economy.balance(treasury) == balance
    for amount in paid[-1:]:
        assert held.sell(amount=amount).outcome == "landed"
        assert economy.balance(treasury) == balance - amount
    assert bool(paid) == (floor < balance)


def simulated(economy: Any, instruction: Any) -> bool:
    """Whether it would go through now."""
    transaction, _ = sign(economy.client, [instruction], [economy.user, economy.treasury])
    return economy.client.simulate_transaction(transaction).value.err is None


def test_down_to_the_minimum_and_not_a_lamport_further(props: Any) -> None:
    economy = props.economy
    treasury, floor = economy.treasury.pubkey(), 100 * 10**9
    spare = economy.balance(treasury) - floor
    first, second = (props.nft(economy.deployment.collection_mint) for _ in range(2))
    assert first.sell(amount=spare).outcome == "landed"
    assert economy.balance(treasury) == floor
    assert second.sell(amount=1).fault.name == "InsufficientTreasury"
    economy.ledger.fund(treasury, 1)
    assert second.sell(amount=1).outcome == "landed"
    assert economy.balance(treasury) == floor


def test_a_treasury_can_be_emptied_if_nothing_must_stay(props: Any) -> None:
    economy = props.economy
    props.do(buyback.set_min_treasury_balance(authority=props.payer, min_treasury_balance=0))
    held = props.nft(economy.deployment.collection_mint)
    treasury = economy.treasury.pubkey()
    balance = economy.balance(treasury)
    left_over = held.sell(amount=balance - RENT_EXEMPT_MIN + 1)
    assert left_over.fault.name == "InsufficientFundsForRent"
    sent = economy.send([held.sale(amount=balance)], economy.user, economy.treasury)
    assert sent.outcome == "landed", sent.logs
    assert economy.balance(treasury) == 0
