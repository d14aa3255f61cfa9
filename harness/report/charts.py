"""The report's pictures, as SVG that follows the page's colours.

Drawn by hand rather than by a plotting library, since they must work in light and dark, on a
phone and on paper, without scripts, and weigh a few kilobytes. Colours are CSS variables of the
page (Okabe and Ito's, which colour-blind readers can tell apart); every mark has a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup
from scipy.special import betaincinv

from harness.report.figures import Line, Spread, TierCount, seconds_between

LAMPORTS_PER_SOL = 1_000_000_000
_WIDTH = 640
_CONFIDENCE = 0.95


def clopper_pearson(seen: int, total: int, confidence: float = _CONFIDENCE) -> tuple[float, float]:
    """Exact interval for a probability after `seen` of `total`. Clopper and Pearson 1934."""
    tail = (1 - confidence) / 2
    low = 0.0 if seen == 0 else float(betaincinv(seen, total - seen + 1, tail))
    high = 1.0 if seen == total else float(betaincinv(seen + 1, total - seen, 1 - tail))
    return low, high


def limits_chart(spreads: Sequence[Spread], unit: str, title: str) -> Markup:
    """A row for each action: a line from least to greatest, a dot at the middle, the limit."""
    left, right, row = 92, 110, 46
    height = row * len(spreads) + 34
    scale = (_WIDTH - left - right) / max((one.limit for one in spreads), default=1)
    parts = []
    for number, one in enumerate(spreads):
        y = 30 + number * row
        x = [left + value * scale for value in (one.least, one.middle, one.greatest, one.limit)]
        share = one.greatest / one.limit
        parts.append(
            f'<text x="{left - 12}" y="{y + 5}" class="end">{escape(one.action)}</text>'
            f'<line x1="{left}" x2="{x[3]:.1f}" y1="{y}" y2="{y}" class="track"/>'
            f'<line x1="{x[0]:.1f}" x2="{x[2] + 1:.1f}" y1="{y}" y2="{y}" class="range"/>'
            f'<circle cx="{x[1]:.1f}" cy="{y}" r="6" class="dot"/>'
            f'<line x1="{x[3]:.1f}" x2="{x[3]:.1f}" y1="{y - 11}" y2="{y + 11}" class="limit"/>'
            f'<text x="{x[3] + 8:.1f}" y="{y - 2}" class="small">'
            f"limit {_thousands(one.limit)}</text>"
            f'<text x="{x[3] + 8:.1f}" y="{y + 13}" class="small">{share:.0%} used</text>'
            f'<text x="{x[1]:.1f}" y="{y + 22}" class="small middle">'
            f"{_range(one)} {unit}</text>"
        )
    return _svg(height, title, parts)


def treasury_chart(lines: Sequence[Line], title: str) -> Markup:
    """The treasury's balance as steps over the testbed's clock, with its minimum."""
    left, right, top, height = 92, 24, 22, 250
    bottom = height - 34
    seconds = [seconds_between(lines[0], line) for line in lines]
    balances = [line["lamports"] for line in lines]
    minimum = lines[-1]["min_lamports"]
    low, high = min(balances), max(balances)
    near = low - minimum < (high - low) * 3 + LAMPORTS_PER_SOL // 10
    if near:
        low = min(low, minimum)
    margin = max((high - low) // 10, LAMPORTS_PER_SOL // 100)
    low, high = low - margin, high + margin
    wide = max(seconds[-1], 0.1)

    def x(second: float) -> float:
        return left + second / wide * (_WIDTH - left - right)

    def y(lamports: int) -> float:
        return bottom - (lamports - low) / (high - low) * (bottom - top)

    path = [f"M{x(seconds[0]):.1f} {y(balances[0]):.1f}"]
    for second, balance in zip(seconds[1:], balances[1:], strict=True):
        path.append(f"H{x(second):.1f}V{y(balance):.1f}")
    parts = []
    for step in range(5):
        lamports = low + (high - low) * step // 4
        parts.append(
            f'<line x1="{left}" x2="{_WIDTH - right}" y1="{y(lamports):.1f}" '
            f'y2="{y(lamports):.1f}" class="grid"/><text x="{left - 8}" '
            f'y="{y(lamports) + 4:.1f}" class="small end">{lamports / LAMPORTS_PER_SOL:.2f}</text>'
        )
    parts.append(f'<path d="{"".join(path)}" class="line"/>')
    if near:
        parts.append(
            f'<line x1="{left}" x2="{_WIDTH - right}" y1="{y(minimum):.1f}" y2="{y(minimum):.1f}" '
            f'class="limit"/><text x="{_WIDTH - right}" y="{y(minimum) - 6:.1f}" '
            f'class="small end">minimum {minimum / LAMPORTS_PER_SOL:.2f} SOL</text>'
        )
    else:
        below = (min(balances) - minimum) / LAMPORTS_PER_SOL
        parts.append(
            f'<text x="{_WIDTH - right}" y="{bottom - 8}" class="small end">'
            f"minimum {minimum / LAMPORTS_PER_SOL:.0f} SOL, {below:.1f} SOL below here</text>"
        )
    parts.append(
        f'<text x="{left}" y="{height - 8}" class="small">0 s</text>'
        f'<text x="{_WIDTH - right}" y="{height - 8}" class="small end">{wide:.0f} s of the '
        "testbed's clock</text>"
        f'<text x="{left - 8}" y="12" class="small end">SOL</text>'
    )
    return _svg(height, title, parts)


def tiers_chart(tiers: Sequence[TierCount], title: str) -> Markup:
    """A bar for what was seen with its 95 % interval, a mark for what was promised."""
    left, right, row = 92, 96, 44
    height = row * len(tiers) + 30
    scale = _WIDTH - left - right
    parts = []
    for number, one in enumerate(tiers):
        y = 22 + number * row
        share = one.seen / one.total if one.total else 0.0
        low, high = clopper_pearson(one.seen, one.total) if one.total else (0.0, 1.0)
        middle = y + 9
        parts.append(
            f'<text x="{left - 12}" y="{y + 14}" class="end">{escape(one.tier)}</text>'
            f'<rect x="{left}" y="{y}" width="{max(share * scale, 1):.1f}" height="18" '
            f'class="bar"/>'
            f'<line x1="{left + low * scale:.1f}" x2="{left + high * scale:.1f}" y1="{middle}" '
            f'y2="{middle}" class="interval"/>'
            f'<line x1="{left + one.promised * scale:.1f}" x2="{left + one.promised * scale:.1f}" '
            f'y1="{y - 5}" y2="{y + 23}" class="limit"/>'
            f'<text x="{_WIDTH}" y="{y + 8}" class="small end">{one.seen} of {one.total}</text>'
            f'<text x="{_WIDTH}" y="{y + 22}" class="small end">promised {one.promised:.0%}</text>'
        )
    return _svg(height, title, parts)


def _svg(height: int, title: str, parts: Sequence[str]) -> Markup:
    return Markup(  # every text above is a number or has been escaped
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _thousands(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _range(one: Spread) -> str:
    if one.least == one.greatest:
        return _thousands(one.least)
    return f"{_thousands(one.least)} – {_thousands(one.greatest)}"
