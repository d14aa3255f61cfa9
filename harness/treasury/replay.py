"""Replay: sampled paths of the model, played by real wallets on the real programs and backend.

A rehearsal from a script. The tape says who mints what, who tries to sell what and at which price
of SOL; here players do exactly that, through the backend's HTTP interface, on the embedded ledger
and by its virtual clock. The dice are the one thing that is not real: the backend draws from a
generator that throws what the tape says. After every step the treasury on the ledger must be that
of the integer books, to the lamport.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from harness.errors import HarnessError, UsageError
from harness.players.api import ApiRefusal
from harness.players.player import Nft, Player
from harness.run.session import RunOptions, RunSession
from harness.testbed import Testbed
from harness.treasury.exact import Books, serving_order
from harness.treasury.model import MICRO, Economy, Shortfall, payout_lamports
from harness.treasury.scenario import Scenario
from harness.treasury.tape import Step, Tape

EVENTS_MAX = 20_000
_PLAYER_LAMPORTS = 100_000 * 10**9
_REFUSED_FOR_MONEY = frozenset({"INSUFFICIENT_TREASURY", "BUYBACK_DISABLED", "NOTHING_TO_PAY"})

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class StepCompared:
    """One step on both sides, in lamports; and how many sales the backend paid and refused."""

    step: int
    books_lamports: int
    ledger_lamports: int
    minted: int
    paid: int
    refused: int

    @property
    def agrees(self) -> bool:
        return self.books_lamports == self.ledger_lamports


@dataclass(frozen=True)
class Replay:
    """A tape that was played. `findings` are what the judges had to say at the end."""

    tape: Tape
    steps: tuple[StepCompared, ...]
    findings: tuple[str, ...]

    @property
    def first_difference(self) -> StepCompared | None:
        return next((step for step in self.steps if not step.agrees), None)

    @property
    def agrees(self) -> bool:
        return self.first_difference is None and not self.findings

    @property
    def transactions(self) -> int:
        """Mints, reveals and payments that landed."""
        return sum(2 * step.minted + step.paid for step in self.steps)


class Dice(random.Random):
    """A generator that throws what it is told: the tier's part of 0..1, then the skin's number."""

    def set(self, share: float, number: int) -> None:
        self._share, self._number = share, number

    def random(self) -> float:
        return self._share

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """The skin's number. The range asked for must hold it: templates of equal weight."""
        if not 0 <= self._number < start:
            raise HarnessError(f"the backend chooses among {start}, the tape wants {self._number}")
        return self._number


def check_replayable(scenario: Scenario, events: int) -> None:
    """Raise UsageError naming what the real system has no counterpart for."""
    rules, economy = scenario.rules, scenario.economy
    for wrong, why in (
        (economy.treasury_share != 1, "economy.treasury_share: the guard pays one destination"),
        (rules.payout_lamports_max_day is not None, "rules.payout_lamports_max_day: no such cap"),
        (rules.sales_max_day is not None, "rules.sales_max_day: no such cap"),
        (rules.reveal_fee_lamports != 0, "rules.reveal_fee_lamports: the authority pays it"),
        (rules.buyback_fee_lamports != 0, "rules.buyback_fee_lamports: the seller pays it"),
        (rules.on_shortfall is Shortfall.STOP, "rules.on_shortfall: stop ends a path, not a house"),
    ):
        if wrong:
            raise UsageError(f"replay: {why} on the reference system; change it in the scenario")
    if economy.tiers != Economy().tiers:
        raise UsageError("replay: economy.tiers: the reference backend sells its own catalogue")
    if events > EVENTS_MAX:
        raise UsageError(
            f"replay: {events} mints and sales, at most {EVENTS_MAX}; take fewer paths or days"
        )


def events_of(tape: Tape) -> int:
    """Mints and attempted sales on a tape."""
    return sum(sum(step.minted) + sum(step.tried) for step in tape.steps)


def replay(tape: Tape, folder: Path, progress: Progress = lambda done, wanted: None) -> Replay:
    """Play a tape on a testbed of its own. Raises UsageError for what cannot be replayed."""
    scenario = tape.scenario
    check_replayable(scenario, events_of(tape))
    rules, dice = scenario.rules, Dice()
    session = RunSession(RunOptions(seed=f"{tape.seed}/{tape.path}", folder=folder))
    if session.config.mint_price_lamports != scenario.economy.mint_price_lamports:
        raise UsageError(
            f"replay: economy.mint_price_lamports {scenario.economy.mint_price_lamports} is not "
            f"the {session.config.mint_price_lamports} of config.json"
        )
    try:
        with session.testbed(
            f"replay-{tape.path}",
            title=f"path {tape.path} of the model",
            changes={
                "treasury_lamports": rules.treasury_lamports,
                "min_treasury_lamports": rules.treasury_lamports_min,
                "buyback_rate": rules.rate,
                "items_available": sum(sum(step.minted) for step in tape.steps) + 1,
                "authority_lamports": 10**15,
            },
            rolls=dice,
        ) as bed:
            return _Stage(bed, tape, dice).play(progress)
    finally:
        session.close()


class _Stage:
    """The players of one tape and what they hold."""

    def __init__(self, bed: Testbed, tape: Tape, dice: Dice) -> None:
        self._bed = bed
        self._tape = tape
        self._dice = dice
        self._player: Player = bed.player(_PLAYER_LAMPORTS)
        self._held: list[deque[Nft]] = [deque() for _ in tape.scenario.economy.templates]
        self._throws = _throws(tape.scenario.economy)
        self._rate_ppm = int(tape.scenario.rules.rate * MICRO)
        self._prices: tuple[int, ...] = ()
        self._books = Books(tape.scenario.economy, tape.scenario.rules, tape.scenario.step_days)

    def play(self, progress: Progress) -> Replay:
        start = self._bed.clock.now()
        compared = []
        for step in self._tape.steps:
            due = start + timedelta(days=step.step * self._tape.scenario.step_days)
            ahead = (due - self._bed.clock.now()).total_seconds()
            if ahead > 0:  # playing takes seconds of the clock too
                self._bed.clock.sleep(ahead)
            compared.append(self._play(step))
            progress(step.step + 1, len(self._tape.steps))
        findings = [
            f"{judgement.judge}: {finding}"
            for judgement in self._bed.judge()
            for finding in judgement.findings
        ]
        return Replay(self._tape, tuple(compared), tuple(findings))

    def _play(self, step: Step) -> StepCompared:
        bed, treasury = self._bed, self._bed.deployment.treasury
        was_paused = self._books.paused
        entries = self._books.play(step)
        self._set_the_scene(step)
        if step.top_up_lamports:
            bed.ledger.fund(treasury, step.top_up_lamports)
        for template, count in enumerate(step.minted):
            for _ in range(count):
                self._mint(template)
        paid = 0
        for (template, oracle), entry in zip(serving_order(step), entries, strict=True):
            paid += self._sell(template, oracle, step, entry.lamports)
        if self._books.paused != was_paused:
            (bed.operator.pause if self._books.paused else bed.operator.resume)()
        return StepCompared(
            step=step.step,
            books_lamports=self._books.treasury_lamports,
            ledger_lamports=bed.balance_lamports(treasury),
            minted=sum(step.minted),
            paid=paid,
            refused=len(entries) - paid,
        )

    def _set_the_scene(self, step: Step) -> None:
        """Rate, price table and the reading of SOL, as they are in this step."""
        if step.rate_ppm != self._rate_ppm:
            self._bed.change_rate(str(Decimal(step.rate_ppm) / MICRO))
            self._rate_ppm = step.rate_ppm
        if step.prices_microusd != self._prices:
            self._prices = step.prices_microusd
            table = _write_prices(self._bed, step.prices_microusd)
            self._bed.market.move(skins_usd=table)
        self._bed.market.move(sol_usd=Decimal(step.oracle_microusd) / MICRO)

    def _mint(self, template: int) -> None:
        self._dice.set(*self._throws[template])
        nft = self._player.mint()
        self._player.reveal(nft)
        self._held[template].append(nft)

    def _sell(self, template: int, oracle_microusd: int, step: Step, lamports: int) -> int:
        """Try one sale; 1 if it was paid. Raises HarnessError for any other amount or refusal."""
        nft = self._held[template][0]
        market = self._bed.market
        market.move(sol_usd=Decimal(oracle_microusd) / MICRO)
        try:
            quoted = self._player.quote(nft).lamports
            if quoted != lamports:
                expected = payout_lamports(
                    step.prices_microusd[template], step.rate_ppm, oracle_microusd
                )
                raise HarnessError(
                    f"step {step.step}: {nft.name} is quoted {quoted} lamports, the rule gives "
                    f"{expected} and the books {lamports}"
                )
            unsigned = self._player.request_buyback(nft)
            # A kept quote is older than the price that everybody else gets.
            market.move(sol_usd=Decimal(step.oracle_microusd) / MICRO)
            self._player.confirm_buyback(nft, self._player.sign(unsigned))
        except ApiRefusal as refusal:
            if refusal.code not in _REFUSED_FOR_MONEY:
                raise
            self._held[template].rotate(-1)
            return 0
        self._held[template].popleft()
        return 1


def _throws(economy: Economy) -> list[tuple[float, int]]:
    """For each template the draw that gives its tier, in the middle of its part, and its number."""
    throws = []
    reached = Decimal(0)
    for tier in economy.tiers:
        share = float(reached + tier.odds / 2)
        throws += [(share, number) for number in range(len(tier.prices_usd))]
        reached += tier.odds
    return throws


def _write_prices(bed: Testbed, prices_microusd: tuple[int, ...]) -> dict[str, Decimal]:
    """Put the step's price table into the database, template by template in the order in which
    they were seeded; returns it by the skins' names."""
    prices = [Decimal(price) / MICRO for price in prices_microusd]
    with bed.engine.begin() as connection:
        rows = connection.execute(
            text("select id, weapon || ' | ' || skin_name from skin_templates order by id")
        ).all()
        connection.execute(
            text("update skin_templates set base_price_usd = :price where id = :id"),
            [{"id": row[0], "price": price} for row, price in zip(rows, prices, strict=True)],
        )
    return {row[1]: price for row, price in zip(rows, prices, strict=True)}
