"""`harness odds plan` and `harness odds value`: what can be known before a box is bought."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console

from harness.cli.odds_options import Alpha, Box, Json, Odds, Prices, Table, chosen_tables, only_one


def plan(
    shift: Annotated[str, typer.Option(help="What should be noticed: legendary=0.02,epic=8%.")],
    table: Table = None,
    odds: Odds = None,
    box: Box = None,
    absorb: Annotated[
        str | None,
        typer.Option(help="Tier that takes up the shift. Default: all others in proportion."),
    ] = None,
    alpha: Alpha = 0.01,
    power: Annotated[float, typer.Option(help="Chance of noticing it.")] = 0.9,
    mint_price_sol: Annotated[str, typer.Option(help="What a box costs.")] = "0.2",
    draws_a_second: Annotated[
        float | None, typer.Option(min=0.001, help="Your own rate, instead of the assumed ones.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated paths.")] = 1,
    as_json: Json = False,
) -> None:
    """How many draws it takes, fixed and sequential, and what they cost on each ledger.

    ```
    harness odds plan --shift legendary=0.02 --alpha 0.01 --power 0.9
    harness odds plan --shift legendary=0.02 --absorb Common
    ```
    """
    import numpy as np

    from harness.odds.plan import LEDGERS, OWN_RATE
    from harness.odds.plan import plan as make_plan
    from harness.odds.table import parse_shares

    one = only_one(chosen_tables(table, odds, box))
    shifted = one.shifted(dict(parse_shares(shift)), absorb)
    made = make_plan(one, shifted, alpha=alpha, power=power,
                     mint_price_lamports=_lamports(mint_price_sol),
                     rng=np.random.default_rng(seed))  # fmt: skip
    if as_json:
        typer.echo(json.dumps(made.as_dict(draws_a_second)))
        return
    console = Console(highlight=False)
    by = absorb or "the other tiers in proportion"
    console.print(f"shift {shift}, absorbed by {by}; alpha {alpha}, power {power}",
                  soft_wrap=True)  # fmt: skip

    costs = {(c["name"], c["ledger"]): c for c in made.costs(draws_a_second)}
    console.print(f"{'design':20} {'draws':>12} {'at most':>12}  how")
    for design in made.designs:
        console.print(f"{design.name:20} {design.draws:>12,} {design.draws_max:>12,}  {design.how}",
                      soft_wrap=True)  # fmt: skip
    console.print(f"{'Wald bound':20} {made.wald_draws:>12,.0f} {'':>12}  no test that always ends "
                  "needs fewer on average", soft_wrap=True)  # fmt: skip
    console.print(f"\n{'ledger':12} " + " ".join(f"{d.name:>24}" for d in made.designs),
                  soft_wrap=True)  # fmt: skip
    for ledger in LEDGERS:
        cells = [costs[d.name, ledger.ledger] for d in made.designs]
        kind = "SOL" if ledger.real else "test SOL"
        shown = [f"{c['sol']:,.0f} {kind}, {c['minutes']:,.0f} min" for c in cells]
        console.print(f"{ledger.ledger:12} " + " ".join(f"{c:>24}" for c in shown), soft_wrap=True)
    for ledger in LEDGERS:
        rate = draws_a_second or ledger.draws_a_second
        why = OWN_RATE if draws_a_second else ledger.assumption
        console.print(f"{ledger.ledger}: {rate:g} draws a second, {why}",
                      soft_wrap=True)  # fmt: skip


def value(
    table: Table = None,
    odds: Odds = None,
    box: Box = None,
    prices: Prices = None,
    mint_price_sol: Annotated[str, typer.Option(help="What a box costs.")] = "0.2",
    sol_usd: Annotated[str, typer.Option(help="Price of SOL in US dollars.")] = "200",
    rate: Annotated[str, typer.Option(help="Share of a skin's price that is paid back.")] = "0.85",
    boxes: Annotated[int, typer.Option(min=1, max=1_000_000, help="For streaks and luck.")] = 100,
    as_json: Json = False,
) -> None:
    """What a box is worth: expected and quantile payout, house edge, variance, streaks.

    ```
    harness odds value
    harness odds value --sol-usd 150 --boxes 20
    ```
    """
    from harness.backend_server import reference_prices
    from harness.odds.value import box_value, read_prices

    one = only_one(chosen_tables(table, odds, box))
    found = box_value(
        one, read_prices(prices) if prices else reference_prices(),
        mint_price_lamports=_lamports(mint_price_sol), sol_usd=_decimal("--sol-usd", sol_usd),
        buyback_rate=_decimal("--rate", rate),
    )  # fmt: skip
    rarest_last = sorted(one.tiers, key=dict(zip(one.tiers, one.shares, strict=True)).__getitem__,
                         reverse=True)  # fmt: skip
    good = rarest_last[-2:] if len(rarest_last) > 2 else rarest_last[-1:]
    figures: dict[str, Any] = {
        "expected_price_usd": round(float(found.expected_price_usd), 4),
        "expected_payout_lamports": int(found.expected_payout_lamports),
        "payout_deviation_lamports": round(found.payout_deviation_lamports),
        **{
            f"payout_lamports_p{q}": found.payout_quantile_lamports(q / 100)
            for q in (5, 50, 95, 99)
        },
        "house_edge": round(float(found.house_edge), 6),
        "break_even_sol_usd": round(float(found.break_even_sol_usd), 4),
        "losing_chance": round(float(found.losing_chance), 6),
        f"losing_streak_median_in_{boxes}": found.losing_streak(boxes),
        f"losing_streak_p99_in_{boxes}": found.losing_streak(boxes, 0.99),
        f"no_{good[0].lower()}_or_better_in_{boxes}": found.none_in(good, boxes),
    }
    if as_json:
        typer.echo(json.dumps(figures))
        return
    console = Console(highlight=False)
    for name, number in figures.items():
        shown = f"{number:,}" if isinstance(number, int) else f"{number:.6g}"
        console.print(f"{name:36} {shown:>18}")


def _lamports(sol: str) -> int:
    from harness.errors import UsageError

    lamports = _decimal("--mint-price-sol", sol) * 10**9
    if lamports != int(lamports):
        raise UsageError(f"--mint-price-sol: {sol} is no whole number of lamports")
    return int(lamports)


def _decimal(option: str, text: str) -> Decimal:
    from decimal import InvalidOperation

    from harness.errors import UsageError

    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise UsageError(f"{option}: must be a number, is {text!r}")
    return number
