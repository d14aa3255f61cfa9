"""Assertions for pytest: a test fails with the sentence that a person would write.

def test_the_reveal_keeps_its_promise():
    assert_odds(draws, guide_table(), alpha=1e-6)
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.odds.audit import Audit, audit
from harness.odds.draws import Draws, draws_in_words
from harness.odds.monitor import Monitor, Verdict
from harness.odds.table import RarityTable


class OddsRefuted(AssertionError):
    """The draws refute the promise; `audit` or `verdict` says how."""

    def __init__(self, line: str, found: Audit | Verdict) -> None:
        super().__init__(line)
        self.found = found


def assert_odds(
    draws: Draws,
    tables: Mapping[str, RarityTable] | RarityTable,
    *,
    alpha: float = 1e-6,
    epsilon: float | None = None,
    seed: int = 1,
) -> Audit:
    """Fail if an audit at level `alpha` refutes the promise, or, with `epsilon`, if it cannot say
    that every tier is within epsilon of it.

    The default level is that of a gate that runs often: with fresh draws an honest backend fails
    one run in a million. Returns the audit. Raises OddsRefuted, UsageError.
    """
    found = audit(draws, tables, alpha=alpha, epsilon=epsilon, seed=seed)
    if found.differing:
        between = found.differing[0]
        raise OddsRefuted(
            f"boxes of one promise differ: {between.test.detail} "
            f"(adjusted p {between.p_adjusted:.2g} at level {alpha:g})",
            found,
        )
    for box in found.boxes:
        if box.outcome == "refuted":
            worst = min(box.rejected, key=lambda one: one.p_adjusted or 0.0)
            raise OddsRefuted(
                f"box {box.table.box}: refuted by {worst.test.name} "
                f"(adjusted p {worst.p_adjusted:.2g} at level {alpha:g}, {draws_in_words(box.n)}): "
                f"{counted(box.table, box.counts)}",
                found,
            )
        if epsilon is not None and box.outcome != "holds within epsilon":
            raise OddsRefuted(
                f"box {box.table.box}: {draws_in_words(box.n)} do not show that every tier is "
                f"within {epsilon:g} of its promise: {counted(box.table, box.counts)}",
                found,
            )
    return found


def assert_not_failed(monitor: Monitor) -> Verdict:
    """Fail if a monitor has ever found the promise broken. Valid after any number of looks.

    Returns the verdict. Raises OddsRefuted.
    """
    verdict = monitor.verdict()
    if verdict.decision == "fails":
        table = monitor.watch.table
        raise OddsRefuted(
            f"box {table.box}: the promise failed at draw {verdict.decided_at} of {verdict.n} "
            f"(e-value {verdict.e_value:.3g}, level {monitor.watch.alpha:g}): "
            f"{counted(table, tuple(int(one) for one in monitor.counts))}",
            verdict,
        )
    return verdict


def counted(table: RarityTable, counts: tuple[int, ...]) -> str:
    """`Common 251 of 500 (50.2 %, promised 50 %), ...`"""
    n = sum(counts)
    return ", ".join(
        f"{tier} {seen} ({seen / n:.2%}, promised {float(share):.4g})"
        for tier, seen, share in zip(table.tiers, counts, table.shares, strict=True)
    )
