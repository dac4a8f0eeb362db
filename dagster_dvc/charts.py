"""Small line charts as SVG, for tables that dvc.yaml declares as plots."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8a8f98")
_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 34, 44


def line_chart(
    title: str, x_label: str, y_label: str, series: Mapping[str, Sequence[tuple[float, float]]]
) -> str:
    """Return an SVG of one line per series of (x, y) points.

    Args:
        title: Heading.
        x_label: Name of the horizontal axis.
        y_label: Name of the vertical axis.
        series: Points by name; empty series are left out.
    """
    drawn = {name: points for name, points in series.items() if points}
    xs = [x for points in drawn.values() for x, _ in points] or [0.0]
    ys = [y for points in drawn.values() for _, y in points] or [0.0]
    low_x, high_x = _span(xs)
    low_y, high_y = _span([*ys, 0.0] if min(ys) >= 0 and min(ys) < max(ys) / 2 else ys)

    def place(x: float, y: float) -> tuple[float, float]:
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return (
            _LEFT + width * (x - low_x) / (high_x - low_x),
            _TOP + height * (1 - (y - low_y) / (high_y - low_y)),
        )

    parts = [
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 20, title, size=14, weight="bold"),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, x_label, anchor="middle"),
        _text(14, (_TOP + _HEIGHT - _BOTTOM) / 2, y_label, anchor="middle", turned=True),
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = low_x + share * (high_x - low_x), low_y + share * (high_y - low_y)
        across, up = place(low_x, y)[1], place(x, low_y)[0]
        parts.append(
            f'<path d="M{_LEFT} {across:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd" stroke-width="1"/>'
        )
        parts.append(_text(_LEFT - 6, across + 4, f"{y:.3g}", anchor="end"))
        parts.append(_text(up, _HEIGHT - _BOTTOM + 16, f"{x:.4g}", anchor="middle"))
    ends = []
    for (name, points), colour in zip(drawn.items(), cycle(_COLOURS), strict=False):
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        ends.append((place(*points[-1])[1], name, colour))
    height = 0.0
    for end, name, colour in sorted(ends):
        height = max(end, height + 15)
        parts.append(_text(_WIDTH - _RIGHT + 8, height + 4, name, colour=colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(parts)}</svg>'
    )


def as_markdown(title: str, content: bytes, mime: str) -> str:
    """Return a picture that stands in the text itself."""
    name = title.replace("[", "(").replace("]", ")")
    return f"![{name}](data:{mime};base64,{b64encode(content).decode()})"


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 11,
    weight: str = "normal",
    colour: str = "#333",
    turned: bool = False,
) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-family="sans-serif" font-weight="{weight}" fill="{colour}"{turn}>'
        f"{escape(text)}</text>"
    )
