"""The certificate's two pictures, as SVG in the page's colours (see harness/report/charts)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from harness.odds.draws import draws_in_words
from harness.odds.goodness import TierInterval

_WIDTH, _LEFT, _RIGHT = 640, 92, 118
#: Of a tier's name: pixels a letter at most, and letters that are shown.
_LETTER, _NAME_MAX = 8, 26
#: What words on a line need of the plot's height.
_WORDS_ROOM = 0.15
_MARKS = ((0.2, 0.5, 1, 2, 5), (0.8, 0.9, 1, 1.1, 1.25))


def intervals_chart(tiers: Sequence[TierInterval], epsilon: float | None, title: str) -> Markup:
    """Observed over promised with its interval, on a log scale so that half and double are alike;
    the line is the promise, the shade epsilon around it. Long names take room from the plot."""
    row, top = 40, 30
    names = [
        one.tier if len(one.tier) <= _NAME_MAX else one.tier[: _NAME_MAX - 1] + "…" for one in tiers
    ]
    left = max(_LEFT, _LETTER * max(map(len, names)) + 12)
    height = top + row * len(tiers) + 30
    spans = [1.1]
    for one in tiers:
        spans += [one.high / one.promised, one.promised / max(one.low, one.promised / 8)]
        spans.append((one.promised + (epsilon or 0)) / one.promised)
    widest = math.log(min(max(spans) * 1.05, 8))

    def x(ratio: float) -> float:
        near = min(max(math.log(max(ratio, 1e-9)), -widest), widest)
        return left + (near / widest + 1) / 2 * (_WIDTH - left - _RIGHT)

    parts = []
    parts.append(f'<text x="{x(1):.1f}" y="14" class="small middle">as promised</text>')
    for mark in _MARKS[0 if widest > math.log(2) else 1]:
        if abs(math.log(mark)) > widest:
            continue
        kind = "limit" if mark == 1 else "grid"
        parts.append(
            f'<line x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="20" y2="{height - 24}" '
            f'class="{kind}"/>'
            f'<text x="{x(mark):.1f}" y="{height - 8}" class="small middle">× {mark:g}</text>'
        )
    for number, one in enumerate(tiers):
        y = top + number * row + 14
        share, low, high = (v / one.promised for v in (one.share, one.low, one.high))
        if epsilon is not None:
            begin = x(max(one.promised - epsilon, 0) / one.promised)
            end = x((one.promised + epsilon) / one.promised)
            parts.append(f'<rect x="{begin:.1f}" y="{y - 11}" width="{max(end - begin, 1):.1f}" '
                         'height="22" class="bar"/>')  # fmt: skip
        parts.append(
            f'<text x="{left - 12}" y="{y + 5}" class="end">{escape(names[number])}</text>'
            f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}" class="interval"/>'
            f'<circle cx="{x(share):.1f}" cy="{y}" r="5" class="dot"/>'
            f'<text x="{_WIDTH}" y="{y - 2}" class="small end">{one.share:.3%} seen</text>'
            f'<text x="{_WIDTH}" y="{y + 13}" class="small end">{one.promised:.3%} promised</text>'
        )
    return _svg(height, title, parts)


def evidence_chart(path: Sequence[tuple[int, float]], alpha: float, title: str) -> Markup:
    """The e-value after each draw, in powers of ten, with the line at which the promise fails. Its
    words stand at the right, or where the evidence is farther from it."""
    top, height = 16, 220
    bottom = height - 34
    tens = [log_e / math.log(10) for _, log_e in path]
    bound = math.log10(1 / alpha)
    low, high = math.floor(min(-1, *tens)), math.ceil(max(bound + 0.5, *tens))
    last = max(path[-1][0], 1)

    def x(n: int) -> float:
        return _LEFT + n / last * (_WIDTH - _LEFT - 16)

    def y(power: float) -> float:
        return bottom - (power - low) / (high - low) * (bottom - top)

    step = max(1, round((high - low) / 5))
    parts = [
        f'<line x1="{_LEFT}" x2="{_WIDTH - 16}" y1="{y(power):.1f}" y2="{y(power):.1f}" '
        f'class="grid"/><text x="{_LEFT - 8}" y="{y(power) + 4:.1f}" class="small end">'
        f"{_power(power)}</text>"
        for power in range(low, high + 1, step)
    ]
    points = " ".join(f"{x(n):.1f},{y(p):.1f}" for (n, _), p in zip(path, tens, strict=True))
    third = max(1, len(tens) // 3)
    near, far = (min(abs(one - bound) for one in some) for some in (tens[:third], tens[-third:]))
    right = far >= near or far > _WORDS_ROOM * (high - low)
    at, anchor = (_WIDTH - 16, "small end") if right else (_LEFT, "small")
    parts.append(
        f'<polyline points="{points}" class="line"/>'
        f'<line x1="{_LEFT}" x2="{_WIDTH - 16}" y1="{y(bound):.1f}" y2="{y(bound):.1f}" '
        f'class="limit"/><text x="{at}" y="{y(bound) - 6:.1f}" class="{anchor}">'
        f"the promise fails at {1 / alpha:,.0f}</text>"
        f'<text x="{_LEFT}" y="{height - 8}" class="small">0</text>'
        f'<text x="{_WIDTH - 16}" y="{height - 8}" class="small end">{draws_in_words(last)}</text>'
    )
    return _svg(height, title, parts)


def _power(power: int) -> str:
    return f"{10**power:,}" if 0 <= power <= 4 else f"1e{power}"


def _svg(height: int, title: str, parts: Sequence[str]) -> Markup:
    return Markup(  # every text above is a number or has been escaped
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
