"""The till, in whole lamports and plain Python: one entry after another, as on the ledger.

Knows the rules and nothing of chance. Given who mints and who tries to sell at which reading, it
says what is paid and what is refused; the backend, the program and the full kernel must come to
the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.treasury.model import Economy, Rules, Shortfall, payout_lamports
from harness.treasury.tape import Step


@dataclass(frozen=True)
class Entry:
    """A sale that was tried: the template, what it was to bring, and whether it was paid."""

    template: int
    lamports: int
    paid: bool


@dataclass
class Books:
    """A treasury and what happened to it."""

    economy: Economy
    rules: Rules
    step_days: float = 1.0
    treasury_lamports: int = field(init=False)
    paused: bool = field(init=False, default=False)
    first_shortfall: int | None = field(init=False, default=None)
    _day: int = field(init=False, default=-1)
    _paid_today: int = field(init=False, default=0)
    _sold_today: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.treasury_lamports = self.rules.treasury_lamports

    def play(self, step: Step) -> list[Entry]:
        """Book one step: top-up, mints, then every sale in the order in which it is served."""
        day = int(step.step * self.step_days)
        if day != self._day:
            self._day, self._paid_today, self._sold_today = day, 0, 0
        self.treasury_lamports += step.top_up_lamports
        gain = self.economy.mint_revenue_lamports - self.rules.reveal_fee_lamports
        self.treasury_lamports += sum(step.minted) * gain
        entries, short = [], False
        for template, oracle in serving_order(step):
            amount = payout_lamports(step.prices_microusd[template], step.rate_ppm, oracle)
            paid, below = self._sell(amount)
            short |= below
            entries.append(Entry(template, amount, paid))
        if short and self.first_shortfall is None:
            self.first_shortfall = step.step
        if self.rules.on_shortfall is Shortfall.PAUSE:
            self.paused = (self.paused or short) and (
                self.treasury_lamports < self.rules.resume_lamports
            )
        return entries

    def _sell(self, amount: int) -> tuple[bool, bool]:
        """Whether a sale is paid, and whether the minimum was what forbade it."""
        rules = self.rules
        if self.paused or amount == 0:
            return False, False
        if self.treasury_lamports - rules.buyback_fee_lamports - amount < (
            rules.treasury_lamports_min
        ):
            return False, True
        cap, sales = rules.payout_lamports_max_day, rules.sales_max_day
        days = max(1.0, self.step_days)
        if cap is not None and self._paid_today + amount > int(cap * days):
            return False, False
        if sales is not None and self._sold_today + 1 > int(sales * days):
            return False, False
        self.treasury_lamports -= amount + rules.buyback_fee_lamports
        self._paid_today += amount
        self._sold_today += 1
        return True, False


def serving_order(step: Step) -> Iterable[tuple[int, int]]:
    """Template and oracle reading of every sale that is tried, in the order of serving.

    Template by template, each step beginning with another, kept quotes first.
    """
    templates = len(step.tried)
    for turn in range(templates):
        template = (step.step + turn) % templates
        for number in range(step.tried[template]):
            kept = number < step.tried_kept[template]
            yield template, step.kept_microusd if kept else step.oracle_microusd
