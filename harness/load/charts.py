"""Line charts over time as SVG that follows the page's colours, readable without colour: each line
has its own dash and its name at its end."""

from __future__ import annotations

from collections.abc import Sequence
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
    drawn = [one for one in series if one.points]
    top = max((value for one in drawn for _, value in one.points), default=1.0) or 1.0
    top = _round_up(top)
    wide = _WIDTH - _LEFT - _RIGHT
    deep = _HEIGHT - _TOP - _BOTTOM

    def x(second: float) -> float:
        return _LEFT + min(second, seconds) / seconds * wide

    def y(value: float) -> float:
        return _TOP + deep - value / top * deep

    parts = []
    for name, begin, end in faults:
        parts.append(
            f'<rect x="{x(begin):.1f}" y="{_TOP}" width="{max(x(end) - x(begin), 1):.1f}" '
            f'height="{deep}" class="fault"/><text x="{x(begin) + 2:.1f}" y="{_TOP - 4}" '
            f'class="small">{escape(name)}</text>'
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
        f'<text x="{_LEFT - 8}" y="12" class="small end">{escape(unit)}</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}" class="small">0 s</text>'
        f'<text x="{_LEFT + wide}" y="{_HEIGHT - 8}" class="small end">{seconds:.0f} s</text>'
    )
    return Markup(  # every text above is a number or has been escaped
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _round_up(value: float) -> float:
    """The next number that divides by four into figures people like."""
    for power in range(-6, 13):
        for factor in (1, 2, 4, 8):
            if factor * 10**power >= value:
                return float(factor * 10**power)
    return value


def _label_places(wanted: Sequence[float]) -> list[float]:
    """Heights of labels, moved down so that none covers another."""
    placed: dict[int, float] = {}
    last = float(-_LABEL_GAP)
    for place in sorted(range(len(wanted)), key=lambda n: wanted[n]):
        last = max(wanted[place], last + _LABEL_GAP)
        placed[place] = last
    return [placed[number] for number in range(len(wanted))]
