"""The base model, as fast as it goes: Brownian price, steady demand, sold at once or never.

Such a crowd can be tabulated: what a step brings (boxes minted, dollars to pay) is a compound
Poisson vector whose exact law stands in a few alias tables (`harness.treasury.outcomes`). Paths
march abreast in ranks of `LANES`, each with a stream of its own, so that the compiler can do
several at once and all they need stays in the nearest cache. Money is a float64 here and no payout
is rounded down, so a balance differs from the exact one by less than a lamport a sale; tests bound
it. Paths end at the first refused sale.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.treasury.kernels.compiling import compiled
from harness.treasury.kernels.stream import _LIMITS, _WIDTHS, normal_from

LANES = 128
#: Bits of an outcome that hold what is to be paid, in units of the tables; boxes are above them.
UNIT_BITS = 24
_UNIT_MASK = np.uint64((1 << UNIT_BITS) - 1)


@compiled
def fill_words(streams: np.ndarray, words: np.ndarray) -> None:
    """The next word of every lane; moves `streams`, uint64[4, lanes]."""
    for lane in range(len(words)):
        s0, s1, s2, s3 = streams[0, lane], streams[1, lane], streams[2, lane], streams[3, lane]
        total = s0 + s3
        words[lane] = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
        shifted = s1 << np.uint64(17)
        s2 ^= s0
        s3 ^= s1
        streams[1, lane] = s1 ^ s2
        streams[0, lane] = s0 ^ s3
        streams[2, lane] = s2 ^ shifted
        streams[3, lane] = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))


@compiled
def add_outcomes(
    words: np.ndarray, limits: np.ndarray, pairs: np.ndarray, mask: Any, brought: np.ndarray
) -> None:
    """Look every lane's word up in one alias table and add what it brings."""
    for lane in range(len(words)):
        word = words[lane]
        row = word & mask
        pair = pairs[row]
        other = pair >> np.uint64(32)
        own = pair & np.uint64(0xFFFFFFFF)
        brought[lane] += own if word < limits[row] else other


@compiled
def fill_normals(words: np.ndarray, streams: np.ndarray, normals: np.ndarray) -> None:
    """A standard normal of every lane's word; 1 of 100 takes more from the lane's stream."""
    rare = np.empty(4, np.uint64)
    for lane in range(len(words)):
        word = words[lane]
        layer = word & np.uint64(255)
        whole = (word >> np.uint64(9)) & np.uint64(0x000FFFFFFFFFFFFF)
        if whole < _LIMITS[layer]:
            size = np.int64(whole) * _WIDTHS[layer]
            normals[lane] = -size if word & np.uint64(256) else size
        else:
            for part in range(4):
                rare[part] = streams[part, lane]
            normals[lane] = normal_from(word, rare)
            for part in range(4):
                streams[part, lane] = rare[part]


@compiled
def exponentiate(values: np.ndarray, mean: Any, deviation: Any, halvings: Any) -> None:
    """Turn every z into e^(mean + deviation z): the series to the 12th power of the exponent over
    2^halvings, which must be below 0.25 in size, squared `halvings` times."""
    scale = 0.5**halvings
    mean *= scale
    deviation *= scale
    for lane in range(len(values)):
        x = mean + deviation * values[lane]
        square = x * x
        even = 1.0 + square * (
            1 / 2
            + square * (1 / 24 + square * (1 / 720 + square * (1 / 40320 + square * (1 / 3628800))))
        )
        odd = 1.0 + square * (
            1 / 6
            + square
            * (1 / 120 + square * (1 / 5040 + square * (1 / 362880 + square * (1 / 39916800))))
        )
        values[lane] = even + x * odd
    for _ in range(halvings):
        for lane in range(len(values)):
            values[lane] *= values[lane]


@compiled
def play_base(
    streams: np.ndarray,
    paths: Any,
    steps: Any,
    money: np.ndarray,
    law: np.ndarray,
    halvings: Any,
    mirrored: Any,
    tilts: np.ndarray,
    limits: np.ndarray,
    pairs: np.ndarray,
    starts: np.ndarray,
    slots: np.ndarray,
    balances: np.ndarray,
    lows: np.ndarray,
    drawdowns: np.ndarray,
    pause_step: np.ndarray,
    log_weights: np.ndarray,
    control: np.ndarray,
    needs: np.ndarray,
    travelled: np.ndarray,
    spent: np.ndarray,
) -> None:
    """Play `paths` paths of `steps` steps.

    `streams` uint64[4, LANES]; `money`: opening balance, minimum, revenue of a box, lamports to pay
    a unit at the first step's price; `law`: mean and deviation of the logarithm of the price a
    step; `mirrored` plays each second path with the normals of the one before it, signs turned;
    `tilts`: what is added to every normal, exponential tilt of a unit paid, its cumulant a step;
    `limits`, `pairs` uint64[rows]: all alias tables, table g from `starts[g]` to `starts[g + 1]`.

    Filled: `balances`, `lows`, `drawdowns` float64[paths, recorded]; `pause_step` int64[paths];
    `log_weights` float64[paths], logarithm of the likelihood ratio up to the path's end; `control`
    float64[paths], sum over all steps of first price / price; `needs` float64[paths], the most that
    outflow exceeded inflow before the end; `travelled` and `spent` float64[paths],
    sums of the normals and of the units to pay up to the path's end.
    """
    opening, minimum, revenue, first_inverse = money[0], money[1], money[2], money[3]
    tilted = tilts[0] != 0.0 or tilts[1] != 0.0
    words, brought = np.empty(LANES, np.uint64), np.empty(LANES, np.uint64)
    normals = np.empty(LANES)
    balance, peak, low, worst = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    inverse, first, inverses = np.empty(LANES), np.empty(LANES, np.int64), np.empty(LANES)
    weight, travel, spend = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for start in range(0, paths, LANES):
        lanes = min(LANES, paths - start)
        balance[:], peak[:], low[:], worst[:] = opening, opening, opening, 0.0
        inverse[:], first[:], inverses[:], weight[:] = first_inverse, steps, 0.0, 0.0
        travel[:], spend[:] = 0.0, 0.0
        for step in range(steps):
            brought[:] = np.uint64(0)
            for table in range(len(starts) - 1):
                rows = slice(starts[table], starts[table + 1])
                fill_words(streams, words)
                add_outcomes(
                    words, limits[rows], pairs[rows],
                    np.uint64(starts[table + 1] - starts[table] - 1), brought,
                )  # fmt: skip
            fill_words(streams, words)
            fill_normals(words, streams, normals)
            if mirrored:
                for pair in range(LANES // 2):
                    normals[2 * pair + 1] = -normals[2 * pair]
            if tilted:
                for lane in range(LANES):
                    if first[lane] == steps:
                        paid = np.int64(brought[lane] & _UNIT_MASK)
                        weight[lane] += tilts[2] - tilts[1] * paid
            for lane in range(LANES):
                units = np.float64(np.int64(brought[lane] & _UNIT_MASK))
                boxes = np.float64(np.int64(brought[lane] >> np.uint64(UNIT_BITS)))
                after = balance[lane] + boxes * revenue - units * inverse[lane]
                alive = first[lane] == steps
                inverses[lane] += inverse[lane]
                spend[lane] += units if alive else 0.0
                goes_on = alive & (after >= minimum)
                first[lane] = step if alive & (after < minimum) else first[lane]
                held = after if goes_on else balance[lane]
                balance[lane] = held
                peak[lane] = max(peak[lane], held)
                worst[lane] = max(worst[lane], peak[lane] - held)
                low[lane] = min(low[lane], held)
                travel[lane] += normals[lane] + tilts[0] if goes_on else 0.0
            if tilted:
                for lane in range(LANES):
                    if first[lane] == steps:
                        weight[lane] -= tilts[0] * (normals[lane] + 0.5 * tilts[0])
            exponentiate(normals, -law[0] - law[1] * tilts[0], -law[1], halvings)
            for lane in range(LANES):
                inverse[lane] *= normals[lane]
            place = slots[step]
            if place >= 0:
                for lane in range(lanes):
                    balances[start + lane, place] = balance[lane]
                    lows[start + lane, place] = low[lane]
                    drawdowns[start + lane, place] = worst[lane]
        for lane in range(lanes):
            pause_step[start + lane] = first[lane]
            log_weights[start + lane] = weight[lane]
            control[start + lane] = inverses[lane] / first_inverse
            needs[start + lane] = opening - low[lane]
            travelled[start + lane] = travel[lane]
            spent[start + lane] = spend[lane]
