"""Line charts over time as SVG that follows the page's colours, readable without colour: each line
has its own dash and its name at its end; on a narrow screen the names stand below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from markupsafe import Markup

from harness.load.series import Series

_WIDTH, _HEIGHT = 640, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 118, 22, 34
_LABEL_GAP = 15


def line_chart(
    series: Sequence[Series],
    title: str,
    unit: str,
    seconds: float,
    marks: Sequence[float] = (),
    faults: Sequence[tuple[str, float, float]] = (),
) -> Markup:
    """Lines over the seconds of the load; `marks` are the borders of its stages, `faults` the
    windows (name, from, until) in which something went wrong on purpose."""
    drawn = [
        replace(one, points=kept)
        for one in series
        if (kept := [point for point in one.points if point[0] <= seconds])
    ]
    top = max((value for one in drawn for _, value in one.points), default=1.0) or 1.0
    top = _round_up(top)
    wide = _WIDTH - _LEFT - _RIGHT
    deep = _HEIGHT - _TOP - _BOTTOM

    def x(second: float) -> float:
        return _LEFT + second / seconds * wide

    def y(value: float) -> float:
        return _TOP + deep - value / top * deep

    parts = []
    for number, (name, begin, end) in enumerate(faults, start=1):
        parts.append(
            f'<rect x="{x(begin):.1f}" y="{_TOP}" '
            f'width="{max(x(min(end, seconds)) - x(begin), 1):.1f}" '
            f'height="{deep}" class="fault"><title>{escape(name)}</title></rect>'
            f'<text x="{x(begin) + 2:.1f}" y="{_TOP - 4}" class="small">{number}</text>'
        )
    for step in range(5):
        value = top * step / 4
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + wide}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            f'class="grid"/><text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" class="small end">'
            f"{value:.4g}</text>"
        )
    parts += [
        f'<line x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{_TOP}" y2="{_TOP + deep}" '
        'class="stage"/>'
        for mark in marks
    ]
    for one in drawn:
        path = "L".join(f"{x(second):.1f} {y(value):.1f}" for second, value in one.points)
        parts.append(f'<path d="M{path}" class="series {one.colour}"/>')
    for one, at in zip(drawn, _label_places([y(one.points[-1][1]) for one in drawn]), strict=True):
        parts.append(
            f'<text x="{_LEFT + wide + 6}" y="{at + 4:.1f}" class="small name {one.colour}">'
            f"{escape(one.name)}</text>"
        )
    parts.append(
        f'<text x="{_LEFT - 8}" y="12" class="small end unit">{escape(unit)}</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}" class="small">0 s</text>'
        f'<text x="{_LEFT + wide / 2}" y="{_HEIGHT - 8}" class="small middle">{seconds / 2:.4g} s'
        "</text>"
        f'<text x="{_LEFT + wide}" y="{_HEIGHT - 8}" class="small end">{seconds:.4g} s</text>'
    )
    key = "".join(
        f'<span><svg viewBox="0 0 30 10"><path d="M0 5L30 5" class="series {one.colour}"/></svg>'
        f"{escape(one.name)}</span>"
        for one in drawn
    )
    return Markup(  # every text above is a number or has been escaped
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
        f'<p class="key" aria-hidden="true">{key}</p>'
    )


def _round_up(value: float) -> float:
    """The next number that divides by four into figures people like."""
    for power in range(-6, 13):
        for factor in (1, 2, 4, 8):
            if factor * 10**power >= value:
                return float(factor * 10**power)
    return value


def _label_places(wanted: Sequence[float]) -> list[float]:
    """Heights of labels, moved so that none covers another and all stay above the axis."""
    placed = list(wanted)
    down = sorted(range(len(wanted)), key=lambda n: wanted[n])
    last = float(-_LABEL_GAP)
    for place in down:
        last = placed[place] = max(placed[place], last + _LABEL_GAP)
    last = float(_HEIGHT - _BOTTOM + _LABEL_GAP)
    for place in reversed(down):
        last = placed[place] = min(placed[place], last - _LABEL_GAP)
    return placed
