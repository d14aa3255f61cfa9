"""What results show of themselves: a picture in any notebook, axes that mean something, words."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
from IPython.core.interactiveshell import InteractiveShell

from harness.backend_server import reference_prices
from harness.odds.audit import audit
from harness.odds.certificate import shown_e
from harness.odds.charts import evidence_chart, intervals_chart
from harness.odds.compare import compare
from harness.odds.draws import Draws
from harness.odds.intake import draws_from_frame
from harness.odds.monitor import Monitor, Verdict, Watch, epsilons
from harness.odds.plan import plan
from harness.odds.table import RarityTable, guide_table
from harness.odds.value import box_value

TABLE = guide_table()


def drawn(number: int, table: RarityTable = TABLE) -> Draws:
    tiers = np.random.default_rng(1).choice(table.tiers, number, p=table.probabilities)
    return draws_from_frame(pd.DataFrame({"tier": tiers}), table)


def watched(table: RarityTable, epsilon: float) -> Monitor:
    monitor = Monitor(Watch(table, 0.01, epsilons(table, epsilon)))
    monitor.update(drawn(500, table).of(table).tier)
    return monitor


def test_a_notebook_shows_a_result_before_pyplot_has_drawn_anything() -> None:
    """Notebook 06 showed <Figure size 700x260 with 1 Axes>, in words."""
    counts = drawn(500).of(TABLE).counts
    rng = np.random.default_rng(1)
    results = (
        audit(drawn(500), TABLE),
        watched(TABLE, 0.02),
        plan(TABLE, TABLE.shifted({"legendary": "0.06"}), alpha=0.01, power=0.9,
             mint_price_lamports=1, rng=rng),
        compare(counts, counts, TABLE.tiers, alpha=0.01, rng=rng),
        box_value(TABLE, reference_prices(), mint_price_lamports=200_000_000,
                  sol_usd=Decimal(200), buyback_rate=Decimal("0.85")),
    )  # fmt: skip
    formatter = InteractiveShell().display_formatter
    for result in results:
        shown, _ = formatter.format(result.plot())
        assert shown["image/png"].startswith(b"\x89PNG")


def test_no_odds_are_below_0_in_a_picture() -> None:
    """An epsilon above a rare tier's odds reached to minus nineteen times the promise."""
    monitor = watched(RarityTable("box", {"Common": "0.999", "Relic": "0.001"}), 0.02)
    _, intervals = monitor.plot().axes
    assert intervals.get_xlim()[0] == 0


def test_one_draw_is_no_draws() -> None:
    assert audit(drawn(1), TABLE).plot().axes[0].get_title(loc="left").startswith(
        "mystery-box: 1 draw, "
    )  # fmt: skip
    assert ">1 draw<" in evidence_chart([(0, 0.0), (1, 0.1)], 0.01, "evidence")
    undecided = Verdict("undecided", 1, None, 0.0, 0.0, (0.0,), (1.0,), more_if_kept=1)
    assert str(undecided) == "undecided, 1 more draw expected"


def test_the_lines_words_stand_where_the_evidence_is_not() -> None:
    """They lay under the curve where the promise failed towards the end."""
    for path, anchor in (
        ([(0, 0.0), (1, 0.0), (2, 1.0), (3, 4.0), (4, 5.0), (5, 5.0)], "small"),
        ([(0, 0.0), (1, 4.6), (2, 20.0), (3, 30.0), (4, 50.0), (5, 90.0)], "small end"),
        ([(0, 0.0), (1, 0.1)], "small end"),
    ):
        picture = evidence_chart(path, 0.01, "evidence")
        assert f'class="{anchor}">the promise fails at 100<' in picture


def test_the_promise_is_not_the_only_mark() -> None:
    """Where epsilon reached to 1.7 times the promise, x 1 was all that stood below."""
    for epsilon in (0.001, 0.005, 0.02, 0.06, 0.2):
        picture = intervals_chart(audit(drawn(100_000), TABLE).boxes[0].intervals, epsilon, "tiers")
        assert picture.count("× ") >= 3


def test_an_e_value_is_a_number_that_people_read() -> None:
    assert [shown_e(math.log(one)) for one in (3912.0, 123.4, 1.0, 0.00132, 1e7)] == [
        "3,900", "120", "1", "0.0013", "1e7"
    ]  # fmt: skip
