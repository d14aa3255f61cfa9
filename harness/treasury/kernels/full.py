"""The whole model, step by step, in whole lamports.

One loop over paths, one over steps; within a step always the same order: top-up, rate, mints,
who wants to sell, who is paid. Everything that is random is drawn from one stream; everything that
is money is an int64. `harness.treasury.exact` says the same in plain Python and must agree with
every balance to the lamport.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

import numpy as np

from harness.treasury.kernels.compiling import compiled
from harness.treasury.kernels.stream import binomial, poisson, reseed, uniform

REFUSE, PAUSE, STOP = 0, 1, 2

#: Numbers of a scenario as the loop needs them; made by `harness.treasury.engine`.
Knobs = namedtuple(
    "Knobs",
    "step_days supply revenue mint_cost box_microusd opening minimum resume "
    "shortfall reveal_fee buyback_fee rate_ppm rate_low_ppm level_low level_high payout_cap "
    "sales_cap top_below top_to top_budget top_delay excite decay demand_elasticity "
    "sense outside panic_level panic_factor arbitrage margin hunters quote_steps whale_rate "
    "whale_share bot_rate bot_days",
)
#: What is counted over a whole path, in the order of the columns of `totals`.
TOTALS = (
    "minted", "sold", "refused", "paid_lamports", "top_up_lamports", "fee_lamports",
    "arbitrage_minted", "arbitrage_paid_lamports", "paused_steps", "bought_back_microusd",
    "paid_microusd",
)  # fmt: skip
(
    MINTED, SOLD, REFUSED, PAID, TOPPED, FEES, ARBITRAGED, ARBITRAGE_PAID, PAUSED, VALUE,
    VALUE_PAID,
) = range(len(TOTALS))  # fmt: skip


@compiled
def payout(price_microusd: Any, rate_ppm: Any, oracle_microusd: Any) -> Any:
    """floor(price x rate x 10^9 / (oracle x 10^6)) without leaving 64 bits."""
    product = price_microusd * rate_ppm
    whole = product // oracle_microusd
    rest = product - whole * oracle_microusd
    return whole * 1000 + rest * 1000 // oracle_microusd


@compiled
def spread(
    state: np.ndarray,
    count: Any,
    chances: np.ndarray,
    columns: np.ndarray,
    first: Any,
    held: np.ndarray,
) -> None:
    """Put `count` new items into `held[template, first + column]`: exact multinomial.

    `chances` float64[2, templates] and `columns` float64[2, columns]: row 0 is conditional (of what
    is left, how much is of this one), for drawing a count; row 1 cumulative, for drawing an item.
    """
    templates, groups = chances.shape[1], columns.shape[1]
    if count > 4 * templates:
        for template in range(templates):
            here = binomial(state, count, chances[0, template])
            count -= here
            for group in range(groups):
                if here == 0:
                    break
                now = binomial(state, here, columns[0, group])
                held[template, first + group] += now
                here -= now
        return
    for _ in range(count):
        draw = uniform(state)
        template = 0
        while draw >= chances[1, template]:
            template += 1
        group = 0
        if groups > 1:
            draw = uniform(state)
            while draw >= columns[1, group]:
                group += 1
        held[template, first + group] += 1


@compiled
def sellers(
    state: np.ndarray, held: np.ndarray, chance: Any, group: Any, wanting: np.ndarray
) -> None:
    """How many of each template want to sell, each item with the same `chance`: exact.

    Many: a binomial a template. Few: one binomial for all, then that many are picked from the
    stock without putting back, which is the same law and takes fewer draws.
    """
    templates = held.shape[0]
    stock = np.int64(0)
    for template in range(templates):
        wanting[template, group] = 0
        stock += held[template, group]
    if chance >= 1.0:
        for template in range(templates):
            wanting[template, group] = held[template, group]
        return
    if stock == 0 or chance <= 0.0:
        return
    if stock * chance > 2.0 * templates:
        for template in range(templates):
            wanting[template, group] = binomial(state, held[template, group], chance)
        return
    for _ in range(binomial(state, stock, chance)):
        place = np.int64(uniform(state) * stock)
        for template in range(templates):
            place -= held[template, group] - wanting[template, group]
            if place < 0:
                wanting[template, group] += 1
                break
        stock -= 1


@compiled
def rate_of(balance: Any, k: Knobs) -> Any:
    """Parts in a million that are paid at this balance."""
    if k.rate_low_ppm < 0:
        return k.rate_ppm
    level = balance / max(k.minimum, 1)
    place = (level - k.level_low) / (k.level_high - k.level_low)
    place = min(max(place, 0.0), 1.0)
    return np.int64(k.rate_low_ppm + math.floor((k.rate_ppm - k.rate_low_ppm) * place + 0.5))


@compiled
def sell_chance(hazard: Any, sense: Any, panic: Any, k: Knobs) -> Any:
    """Chance that somebody with this hazard a day sells within the step."""
    if hazard == np.inf:
        return 1.0
    return -math.expm1(-hazard * sense * panic * k.step_days)


@compiled
def best_quote(oracle: np.ndarray, step: Any, back: Any) -> Any:
    """The lowest SOL price among the last `back` steps and this one: the dearest open quote."""
    low = oracle[step]
    for before in range(max(0, step - back), step):
        low = min(low, oracle[before])
    return low


@compiled
def micro(value: Any) -> Any:
    """USD as whole millionths, at least one."""
    return max(np.int64(math.floor(value * 1e6 + 0.5)), np.int64(1))


@compiled
def play(
    state: np.ndarray,
    words: np.ndarray,
    sol: np.ndarray,
    oracle: np.ndarray,
    market_index: np.ndarray,
    table_index: np.ndarray,
    prices: np.ndarray,
    chances: np.ndarray,
    columns: np.ndarray,
    hazards: np.ndarray,
    profile: np.ndarray,
    slots: np.ndarray,
    k: Knobs,
    balances: np.ndarray,
    lows: np.ndarray,
    drawdowns: np.ndarray,
    pause_step: np.ndarray,
    totals: np.ndarray,
    outstanding: np.ndarray,
    tape_money: np.ndarray,
    tape_counts: np.ndarray,
    claims: np.ndarray,
) -> None:
    """Play every path of a block.

    `state` uint64[4] is the stream of all of them, unless `words` uint64[paths, steps] (of length
    0 otherwise) begins a stream of its own in each step of each path.
    `sol`, `oracle` float64[paths, steps]; `market_index`, `table_index` the same or [1, 1] for an
    index that stays at 1; `prices` int64[templates] micro-USD; `chances`, `columns` as `spread`
    takes them; `hazards` float64[groups], the last
    group being people who buy only to sell; `profile` float64[steps] mints a day; `slots`
    int64[steps], the column to record a step in or -1. Filled: `balances`, `lows`, `drawdowns`
    int64[paths, recorded]; `pause_step` int64[paths], `steps` if there was no shortfall; `totals`
    int64[paths, len(TOTALS)]; `outstanding` int64[paths, templates]. With a tape (not of length 0)
    `tape_money` int64[paths, steps, 7] (oracle, best quote, rate, top-up, balance, fees,
    paused) and `tape_counts` int32[paths, steps, templates, 4] (minted, tried, tried on a kept
    quote, paid). `claims` float64[paths, steps], if not of length 0: micro-USD at the
    table's prices of items held after the step that would be sold until the end if people stayed
    as they are.
    """
    paths, steps = sol.shape
    templates, groups = len(prices), len(hazards)
    professional = groups - 1
    held = np.zeros((templates, groups), np.int64)
    wanting = np.zeros((templates, groups), np.int64)
    taped = tape_money.shape[0] > 0
    flat = market_index.shape[1] == 1  # a single step has the index 1 anyway
    alone = np.ones((2, 1))
    for path in range(paths):
        held[:] = 0
        balance = k.opening
        peak, low, worst = balance, balance, np.int64(0)
        left = k.supply
        excited = 0.0
        paused, stopped = False, False
        first_pause = steps
        budget, ordered, due = k.top_budget, np.int64(0), -1
        day, paid_today, sold_today = np.int64(-1), np.int64(0), np.int64(0)
        for step in range(steps):
            if stopped:
                if slots[step] >= 0:
                    place = slots[step]
                    balances[path, place], lows[path, place] = balance, low
                    drawdowns[path, place] = worst
                continue
            if words.shape[0] > 0:
                reseed(state, words[path, step])
            reading = micro(oracle[path, step])
            topped = np.int64(0)
            if due == step:
                topped = ordered
                balance += topped
                totals[path, TOPPED] += topped
                due = -1
            if k.top_budget > 0 and due < 0 and balance < k.top_below and budget > 0:
                ordered = min(k.top_to - balance, budget)
                budget -= ordered
                due = step + k.top_delay
            rate = rate_of(balance, k)
            today = np.int64(math.floor(step * k.step_days))
            if today != day:
                day, paid_today, sold_today = today, np.int64(0), np.int64(0)
            scale = 1.0 if flat else table_index[path, step]
            if taped:
                for template in range(templates):
                    tape_counts[path, step, template, 0] = -held[template].sum()
            # Mints: the crowd, the bots, those who do the arithmetic.
            intensity = profile[step]
            if k.demand_elasticity > 0.0:
                intensity *= (sol[path, step] / sol[path, 0]) ** -k.demand_elasticity
            mean = intensity * k.step_days
            if k.decay > 0.0:
                fade = -math.expm1(-k.decay * k.step_days)
                mean += excited * fade / k.decay
                excited *= 1.0 - fade
            crowd = min(np.int64(poisson(state, mean)), left)
            left -= crowd
            if k.decay > 0.0:
                excited += k.excite * k.decay * crowd
            spread(state, crowd, chances, columns, 0, held)
            experts = np.int64(0)
            if k.bot_rate > 0.0 and step * k.step_days < k.bot_days:
                experts = min(np.int64(poisson(state, k.bot_rate * k.step_days)), left)
                left -= experts
            expected = k.box_microusd * scale * rate * 1000.0 / reading
            if (
                k.arbitrage > 0.0
                and expected > k.mint_cost * (1.0 + k.margin)
                and balance - k.minimum >= expected
                and not paused
            ):
                now = min(np.int64(poisson(state, k.arbitrage * k.step_days)), left)
                left -= now
                experts += now
                totals[path, ARBITRAGED] += now
            if experts > 0:
                spread(state, experts, chances, alone, professional, held)
            minted = crowd + experts
            totals[path, MINTED] += minted
            fees = minted * k.reveal_fee
            balance += minted * k.revenue - fees
            # Who wants to sell.
            sense, panic = 1.0, 1.0
            if k.sense > 0.0:
                inside = rate * 1e-6 * scale * sol[path, step] * 1e6 / reading
                outside = k.outside * (1.0 if flat else market_index[path, step])
                sense = (inside / outside) ** k.sense
            if k.panic_factor > 1.0:
                brink = k.panic_level * (k.opening - k.minimum)
                fear = 1.0 - (balance - k.minimum) / max(brink, 1.0)
                panic = 1.0 + (k.panic_factor - 1.0) * min(max(fear, 0.0), 1.0)
            rest = 1.0
            if k.whale_rate > 0.0:
                rest = (1.0 - k.whale_share) ** poisson(state, k.whale_rate * k.step_days)
            for group in range(groups):
                chance = 1.0 - (1.0 - sell_chance(hazards[group], sense, panic, k)) * rest
                sellers(state, held, chance, group, wanting)
            # Who is paid: template by template, each step beginning with another.
            kept = reading
            if k.hunters > 0.0 and k.quote_steps > 0:
                for before in range(max(0, step - k.quote_steps), step):
                    kept = min(kept, micro(oracle[path, before]))
            short = False
            for turn in range(templates):
                template = (step + turn) % templates
                tried = np.int64(0)
                for group in range(groups):
                    tried += wanting[template, group]
                if taped:
                    tape_counts[path, step, template, 0] += held[template].sum()
                    tape_counts[path, step, template, 1] = tried
                if tried == 0:
                    continue
                price = prices[template]
                if not flat:
                    price = np.int64(math.floor(price * scale / 100.0 + 0.5)) * 100
                clever = np.int64(0)
                if kept < reading:
                    clever = np.int64(binomial(state, tried, k.hunters))
                    if taped:
                        tape_counts[path, step, template, 2] = clever
                paid = np.int64(0)
                for best in range(2):
                    want = clever if best == 0 else tried - clever
                    if want == 0:
                        continue
                    amount = payout(price, rate, kept if best == 0 else reading)
                    if paused or amount == 0:
                        continue
                    most = max(balance - k.minimum, 0) // (amount + k.buyback_fee)
                    short |= most < want
                    now = min(want, most)
                    if k.payout_cap >= 0:
                        now = min(now, max(k.payout_cap - paid_today, 0) // amount)
                    if k.sales_cap >= 0:
                        now = min(now, max(k.sales_cap - sold_today, 0))
                    balance -= now * (amount + k.buyback_fee)
                    fees += now * k.buyback_fee
                    paid += now
                    paid_today += now * amount
                    sold_today += now
                    totals[path, PAID] += now * amount
                    totals[path, VALUE] += now * price
                    totals[path, VALUE_PAID] += np.int64(now * amount * sol[path, step] * 1e-3)
                # Whoever was not paid still has the skin: those who hold for gain go first.
                totals[path, SOLD] += paid
                totals[path, REFUSED] += tried - paid
                if taped:
                    tape_counts[path, step, template, 3] = paid
                for back in range(groups):
                    group = groups - 1 - back
                    gone = min(wanting[template, group], paid)
                    held[template, group] -= gone
                    paid -= gone
                    if group == professional and gone > 0:
                        totals[path, ARBITRAGE_PAID] += gone * payout(price, rate, reading)
            totals[path, FEES] += fees
            totals[path, PAUSED] += paused
            if short and first_pause == steps:
                first_pause = step
            if k.shortfall == PAUSE:
                paused = (paused or short) and balance < k.resume
            stopped = short and k.shortfall == STOP
            if claims.shape[0] > 0:
                left_days = (steps - 1 - step) * k.step_days
                for group in range(groups):
                    rate_day = hazards[group] * sense * panic
                    likely = 1.0 if rate_day == np.inf else -math.expm1(-rate_day * left_days)
                    for template in range(templates):
                        claims[path, step] += held[template, group] * prices[template] * likely
                claims[path, step] *= scale
            peak = max(peak, balance)
            low = min(low, balance)
            worst = max(worst, peak - balance)
            if taped:
                tape_money[path, step, 0] = reading
                tape_money[path, step, 1] = kept
                tape_money[path, step, 2] = rate
                tape_money[path, step, 3] = topped
                tape_money[path, step, 4] = balance
                tape_money[path, step, 5] = fees
                tape_money[path, step, 6] = paused
            if slots[step] >= 0:
                place = slots[step]
                balances[path, place], lows[path, place] = balance, low
                drawdowns[path, place] = worst
        pause_step[path] = first_pause
        for template in range(templates):
            outstanding[path, template] = held[template].sum()
