"""The base model, as fast as it goes: Brownian price, steady demand, sold at once or never.

Such a crowd can be tabulated: what a step brings (boxes minted, dollars to pay) is a compound
Poisson vector whose exact law stands in a few alias tables (`harness.treasury.outcomes`). A step
costs one normal, one exponential and one look into each table. Money is a float64 here and no
payout is rounded down, so a balance differs from the exact one by less than a lamport a sale;
tests bound it. Paths end at the first refused sale.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.treasury.kernels.compiling import compiled
from harness.treasury.kernels.stream import normal_from


@compiled
def play_base(
    state: np.ndarray,
    paths: Any,
    steps: Any,
    opening: Any,
    minimum: Any,
    revenue: Any,
    payout_scale: Any,
    sol_usd: Any,
    move: Any,
    spread: Any,
    mirrored: Any,
    tilt: Any,
    cost_tilt: Any,
    cost_constant: Any,
    table: np.ndarray,
    starts: np.ndarray,
    masks: np.ndarray,
    shifts: np.ndarray,
    slots: np.ndarray,
    balances: np.ndarray,
    lows: np.ndarray,
    drawdowns: np.ndarray,
    pause_step: np.ndarray,
    log_weights: np.ndarray,
    control: np.ndarray,
    sales: np.ndarray,
    needs: np.ndarray,
) -> None:
    """Play `paths` paths of `steps` steps.

    `payout_scale` lamports x USD a cent; `move`, `spread` of the logarithm of the price a step;
    `mirrored` plays each second path with the signs of the one before it; `tilt` is added to every
    normal, `cost_tilt` a cent is the exponential tilt of the outcomes with cumulant
    `cost_constant` a step; `table` uint64[rows, 3] holds all alias tables (threshold, own outcome,
    other outcome; an outcome is boxes << 40 | cents), table g from `starts[g]` with index mask
    `masks[g]` and threshold shift `shifts[g]`.

    Filled: `balances`, `lows`, `drawdowns` float64[paths, recorded]; `pause_step` int64[paths];
    `log_weights` float64[paths] (0 where nothing is tilted); `control` float64[paths], the sum of
    1 / SOL price over all steps played; `sales` float64[paths], dollars paid;
    `needs` float64[paths], the most by which outflow ever exceeded inflow.
    """
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    groups = len(starts)
    cents_mask = np.uint64((1 << 40) - 1)
    rare = np.empty(4, np.uint64)
    signs = np.empty(steps if mirrored else 0)
    tilted = tilt != 0.0 or cost_tilt != 0.0
    for path in range(paths):
        balance, peak, low, worst = opening, opening, opening, 0.0
        inverse = payout_scale / sol_usd  # lamports to pay a cent
        weight, inverses, paid_cents = 0.0, 0.0, 0.0
        first = steps
        for step in range(steps):
            if first == steps:
                boxes, cents = np.int64(0), np.int64(0)
                for group in range(groups):
                    total = s0 + s3
                    word = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
                    shifted = s1 << np.uint64(17)
                    s2 ^= s0
                    s3 ^= s1
                    s1 ^= s2
                    s0 ^= s3
                    s2 ^= shifted
                    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
                    row = starts[group] + np.int64(word & masks[group])
                    own = (word >> shifts[group]) < table[row, 0]
                    outcome = table[row, 1] if own else table[row, 2]
                    boxes += np.int64(outcome >> np.uint64(40))
                    cents += np.int64(outcome & cents_mask)
                inverses += inverse
                after = balance + boxes * revenue - cents * inverse
                if tilted:
                    weight += cost_constant - cost_tilt * cents
                if after < minimum:
                    first = step
                    low = min(low, minimum)
                else:
                    balance = after
                    paid_cents += cents
                    if balance > peak:
                        peak = balance
                    else:
                        worst = max(worst, peak - balance)
                    low = min(low, balance)
                    total = s0 + s3
                    word = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
                    shifted = s1 << np.uint64(17)
                    s2 ^= s0
                    s3 ^= s1
                    s1 ^= s2
                    s0 ^= s3
                    s2 ^= shifted
                    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
                    rare[0], rare[1], rare[2], rare[3] = s0, s1, s2, s3
                    shock = normal_from(word, rare)
                    s0, s1, s2, s3 = rare[0], rare[1], rare[2], rare[3]
                    if mirrored:
                        if path % 2 == 0:
                            signs[step] = shock
                        else:
                            shock = -signs[step]
                    if tilted:
                        weight -= tilt * (shock + 0.5 * tilt)
                        shock += tilt
                    inverse *= math.exp(-(move + spread * shock))
            if slots[step] >= 0:
                place = slots[step]
                balances[path, place], lows[path, place] = balance, low
                drawdowns[path, place] = worst
        pause_step[path] = first
        log_weights[path] = weight
        control[path] = inverses
        sales[path] = paid_cents
        needs[path] = opening - low
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3
