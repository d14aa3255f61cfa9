"""Draws made on purpose: by the roll alone, or end to end through the reveal API of a testbed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa

from harness.boxes import BoxOnSale, guide_box
from harness.errors import UsageError
from harness.odds.draws import Draws
from harness.odds.intake import draws_of
from harness.odds.table import RarityTable
from harness.testbed import Testbed

_ROLLS_MAX = 50_000_000
_ROLLS_A_BATCH = 200_000


def draws_from_roll(
    roll: Callable[[], tuple[str, str]],
    count: int,
    table: RarityTable,
    *,
    source: str = "roll alone",
) -> Draws:
    """`count` calls of a backend's roll, which gives tier and skin, such as
    `harness.backend_server.reference_roll`. No mint, wallet or time: a roll has none."""
    if not 0 < count <= _ROLLS_MAX:
        raise UsageError(f"rolls must be 1 to {_ROLLS_MAX:,}, are {count}")

    def part(size: int) -> pa.RecordBatch:
        rolled = [roll() for _ in range(size)]
        return pa.RecordBatch.from_pydict(
            {
                "tier": pa.array([tier for tier, _ in rolled], pa.string()),
                "skin": pa.array([skin for _, skin in rolled], pa.string()),
            }
        )

    sizes = [min(_ROLLS_A_BATCH, count - start) for start in range(0, count, _ROLLS_A_BATCH)]
    return draws_of(map(part, sizes), source, {table.box: table})


def sold_odds(table: RarityTable, tiers: Collection[str]) -> dict[str, str]:
    """A table's odds as a backend's setting is written, each tier's share as text.

    `tiers`: those that the backend has skins of. Raises UsageError naming the tier that cannot be
    sold, by its name or because its share has no end in decimals.
    """
    odds = {}
    for tier, share in table.odds:
        if tier not in tiers:
            raise UsageError(
                f"box {table.box}: {tier}: the reference catalogue has no such skins, only "
                f"{', '.join(tiers)}"
            )
        written = Decimal(share.numerator) / share.denominator
        if Fraction(written) != share:
            raise UsageError(f"box {table.box}: {tier}: {share} has no end in decimals")
        odds[tier] = str(written)
    return odds


def draws_from_testbed(
    testbed: Testbed,
    count: int,
    table: RarityTable,
    *,
    box: BoxOnSale | None = None,
    players: int = 8,
    sell_every: int | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Draws:
    """Mint `count` boxes on a testbed's ledger and have its backend reveal each over HTTP.

    `box`: another box type than the guide's, that is on sale there. The tier is what the API
    answered; `players` take turns, funded as their boxes need, and sell
    every `sell_every`-th box back. `told` is called with the number of draws done.
    Raises UsageError if the machine has fewer boxes left.
    """
    asked = box or guide_box(testbed)
    available = asked.items_available
    if not 0 < count <= available:
        raise UsageError(f"{count} draws asked for, the machine has {available} boxes")
    each = asked.purse_lamports(count // players + 1)
    buyers = [testbed.player(lamports=each) for _ in range(min(players, count))]
    rows: list[tuple[datetime, str, str, str, str, int]] = []
    for number in range(count):
        player = buyers[number % len(buyers)]
        nft = player.mint(machine=asked.machine)
        revealed = player.reveal(nft, box_id=asked.id)
        rows.append(
            (testbed.clock.now(), str(nft.mint), player.name, revealed.rarity, revealed.skin_name,
             number + 1)
        )  # fmt: skip
        if sell_every is not None and number % sell_every == 0:
            player.sell(nft)
        told(number + 1)
    times, mints, wallets, tiers, skins, numbers = zip(*rows, strict=True)
    batch = pa.RecordBatch.from_pydict(
        {
            "time": pa.array(times, pa.timestamp("us", "UTC")),
            "mint": pa.array(mints, pa.string()),
            "wallet": pa.array(wallets, pa.string()),
            "box": pa.array([asked.id] * count, pa.string()),
            "tier": pa.array(tiers, pa.string()),
            "skin": pa.array(skins, pa.string()),
            "number": pa.array(numbers, pa.int64()),
            "paid_lamports": pa.array([asked.mint_price_lamports] * count, pa.int64()),
        }
    )
    return draws_of([batch], "reveal API of a testbed", {table.box: table})
