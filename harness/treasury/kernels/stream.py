"""A stream of random numbers inside a compiled loop, and exact counts drawn from it.

The generator is xoshiro256++ (Blackman and Vigna 2021), its four words drawn from a NumPy
SeedSequence, so that each block of paths has a stream of its own whoever computes it. Normals by
the ziggurat of Marsaglia and Tsang 2000 with 256 layers; Poisson by inversion below a mean of 10
and Hörmann's PTRS above (1993); binomial by inversion and Hörmann's BTRS (1993). All are exact up
to the resolution of a double.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.treasury.kernels.compiling import compiled

_R = 3.6541528853610088
_AREA = 0.00492867323399
_LAYERS = 256
_DRAWS_MAX = 1000  # of a rejection loop whose acceptance is above 0.8: never reached

_UNIT = 1.0 / (1 << 53)


def _ziggurat() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Acceptance thresholds, widths and heights of the layers, for 52-bit integers."""
    scale = float(1 << 52)
    x = np.zeros(_LAYERS)
    density = math.exp(-0.5 * _R * _R)
    limits, widths, heights = np.zeros(_LAYERS, np.uint64), np.zeros(_LAYERS), np.zeros(_LAYERS)
    q = _AREA / density
    limits[0], limits[1] = np.uint64(_R / q * scale), 0
    widths[0], widths[-1] = q / scale, _R / scale
    heights[0], heights[-1] = 1.0, density
    x[-1] = _R
    last = _R
    for layer in range(_LAYERS - 2, 0, -1):
        x[layer] = math.sqrt(-2.0 * math.log(_AREA / last + math.exp(-0.5 * last * last)))
        limits[layer + 1] = np.uint64(x[layer] / last * scale)
        heights[layer] = math.exp(-0.5 * x[layer] ** 2)
        widths[layer] = x[layer] / scale
        last = x[layer]
    return limits, widths, heights


_LIMITS, _WIDTHS, _HEIGHTS = _ziggurat()


@compiled
def next_word(state: np.ndarray) -> Any:
    """64 random bits; moves `state`, uint64[4]."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    total = s0 + s3
    word = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
    shifted = s1 << np.uint64(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3
    return word


@compiled
def reseed(state: np.ndarray, word: Any) -> None:
    """Begin a stream at `word`, by SplitMix64 as its authors advise; moves `state`, uint64[4]."""
    for part in range(4):
        word += np.uint64(0x9E3779B97F4A7C15)
        mixed = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state[part] = mixed ^ (mixed >> np.uint64(31))


@compiled
def uniform(state: np.ndarray) -> Any:
    """In [0, 1), 53 bits."""
    return (next_word(state) >> np.uint64(11)) * _UNIT


@compiled
def uniform_open(state: np.ndarray) -> Any:
    """In (0, 1]: may be put into a logarithm."""
    return ((next_word(state) >> np.uint64(11)) + np.uint64(1)) * _UNIT


@compiled
def normal_from(word: Any, state: np.ndarray) -> Any:
    """A standard normal from 64 bits; takes more from `state` in 1 of 100 cases."""
    for _ in range(_DRAWS_MAX):
        layer = word & np.uint64(255)
        whole = (word >> np.uint64(9)) & np.uint64(0x000FFFFFFFFFFFFF)
        x = whole * _WIDTHS[layer]
        negative = (word >> np.uint64(8)) & np.uint64(1)
        if negative:
            x = -x
        if whole < _LIMITS[layer]:
            return x
        if layer == 0:
            for _ in range(_DRAWS_MAX):
                far = -math.log(uniform_open(state)) / _R
                if -2.0 * math.log(uniform_open(state)) > far * far:
                    return -(_R + far) if negative else _R + far
        drop = _HEIGHTS[layer - 1] - _HEIGHTS[layer]
        if drop * uniform(state) + _HEIGHTS[layer] < math.exp(-0.5 * x * x):
            return x
        word = next_word(state)
    return 0.0


@compiled
def poisson(state: np.ndarray, mean: Any) -> Any:
    """A Poisson count, exact for any mean."""
    if mean <= 0.0:
        return 0
    if mean < 10.0:
        left = uniform(state)
        share = math.exp(-mean)
        count = 0
        while left >= share and count < 200:
            left -= share
            count += 1
            share *= mean / count
        return count
    log_mean = math.log(mean)
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    limit = 0.9277 - 3.6224 / (b - 2.0)
    for _ in range(_DRAWS_MAX):
        u = uniform(state) - 0.5
        v = uniform_open(state)
        us = 0.5 - abs(u)
        count = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= limit:
            return count
        if count < 0 or (us < 0.013 and v > us):
            continue
        left_side = math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if left_side <= -mean + count * log_mean - math.lgamma(count + 1.0):
            return count
    return int(mean)


@compiled
def binomial(state: np.ndarray, number: Any, chance: Any) -> Any:
    """How many of `number` happen, each with `chance`: exact."""
    if number <= 0 or chance <= 0.0:
        return 0
    if chance >= 1.0:
        return number
    flipped = chance > 0.5
    p = 1.0 - chance if flipped else chance
    count = _binomial_low(state, number, p)
    return number - count if flipped else count


@compiled
def _binomial_low(state: np.ndarray, number: Any, p: Any) -> Any:
    q = 1.0 - p
    ratio = p / q
    if number * p < 10.0:
        share = math.exp(number * math.log1p(-p))
        left = uniform(state)
        count = 0
        while left >= share and count < number:
            left -= share
            count += 1
            share *= ratio * (number - count + 1) / count
        return count
    spread = math.sqrt(number * p * q)
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = number * p + 0.5
    limit = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * spread
    log_ratio = math.log(ratio)
    mode = math.floor((number + 1) * p)
    height = math.lgamma(mode + 1.0) + math.lgamma(number - mode + 1.0)
    for _ in range(_DRAWS_MAX):
        u = uniform(state) - 0.5
        v = uniform_open(state)
        us = 0.5 - abs(u)
        count = math.floor((2.0 * a / us + b) * u + centre)
        if count < 0 or count > number:
            continue
        if us >= 0.07 and v <= limit:
            return count
        bound = (
            height - math.lgamma(count + 1.0) - math.lgamma(number - count + 1.0)
            + (count - mode) * log_ratio
        )  # fmt: skip
        if math.log(v * alpha / (a / (us * us) + b)) <= bound:
            return count
    return int(number * p)


@compiled
def next_words(state: np.ndarray, count: Any) -> Any:
    """The next words of a stream, uint64[count]: for tests of the stream."""
    words = np.empty(count, np.uint64)
    for index in range(count):
        words[index] = next_word(state)
    return words
