"""Small charts as inline SVG: no script, no file beside the page.

Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

COLOURS = {
    "hybrid": "#0072B2",
    "gated": "#56B4E9",
    "multimodal": "#009E73",
    "text": "#D55E00",
    "image": "#CC79A7",
    "bm25": "#8a8f98",
}
_WIDTH = 520
_LETTER = 7.4  # widest of a label, in pixels


def bars(rows: Sequence[tuple[str, str, float, tuple[float, float]]]) -> Markup:
    """Return horizontal bars with interval whiskers.

    Args:
        rows: (key of the colour, label, value, (low, high)); values in [0, 1].
    """
    top = max([high for *_, (_, high) in rows] + [1e-9])
    left = max([120.0] + [_LETTER * len(label) + 12 for _, label, *_ in rows])
    scale = (_WIDTH - 70 - left) / top
    parts = []
    for place, (key, label, value, (low, high)) in enumerate(rows):
        y = 8 + 34 * place
        start, end = left + low * scale, left + high * scale
        parts.append(
            f'<text x="0" y="{y + 15}">{escape(label)}</text>'
            f'<rect x="{left:.1f}" y="{y}" width="{value * scale:.1f}" height="22" rx="3" '
            f'fill="{COLOURS.get(key, "#888")}" fill-opacity=".85"/>'
            f'<path d="M{start:.1f} {y + 11}H{end:.1f}'
            f'M{start:.1f} {y + 6}v10M{end:.1f} {y + 6}v10" '
            'stroke="currentColor" stroke-width="1.4" fill="none"/>'
            f'<text x="{end + 8:.1f}" y="{y + 15}">{value:.3f}</text>'
        )
    return _svg(16 + 34 * len(rows), "".join(parts))


def lines(labels: Sequence[str], series: dict[str, tuple[str, list[float]]]) -> Markup:
    """Return one line per system over evenly spaced places.

    Args:
        labels: Labels of the horizontal axis.
        series: By key of the colour: (label, one value in [0, 1] per place).
    """
    height, left, bottom = 230, 36, 28
    ticks = round_ticks(max([max(values) for _, values in series.values()] + [1e-9]))
    top = ticks[-1]
    xs = np.linspace(left + 10, _WIDTH - 130, len(labels))

    def y(value: float) -> float:
        return 10 + (height - bottom - 10) * (1 - value / top)

    parts = [
        f'<path class="axis" d="M{left} {y(tick):.1f}H{_WIDTH - 120}"/>'
        f'<text class="faint" x="0" y="{y(tick) + 4:.1f}">{tick:g}</text>'
        for tick in ticks
    ]
    parts += [
        f'<text class="faint" x="{x:.1f}" y="{height - 8}" text-anchor="middle">'
        f"{escape(label)}</text>"
        for x, label in zip(xs, labels, strict=True)
    ]
    ends = _spread([y(values[-1]) for _, values in series.values()])
    for (key, (label, values)), end in zip(series.items(), ends, strict=True):
        points = " ".join(f"{x:.1f},{y(v):.1f}" for x, v in zip(xs, values, strict=True))
        colour = COLOURS.get(key, "#888")
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.4"/>'
            f'<text x="{_WIDTH - 118}" y="{end + 4:.1f}" style="fill:{colour}">'
            f"{escape(label)}</text>"
        )
    return _svg(height, "".join(parts))


def round_ticks(top: float) -> list[float]:
    """Return round places from 0 to the first one at or above `top`, four to six of them.

    Args:
        top: Greatest value that is drawn; above 0.
    """
    power = 10.0 ** math.floor(math.log10(top / 3))
    step = next(power * n for n in (1, 2, 2.5, 5, 10) if power * n * 5 >= top * (1 - 1e-9))
    return [round(step * place, 12) for place in range(math.ceil(top / step - 1e-9) + 1)]


def histogram(values: NDArray[np.float32], bins: int = 20) -> Markup:
    """Return a histogram of values in [0, 1]."""
    counts, _ = np.histogram(values, bins=bins, range=(0, 1))
    height, width = 150, _WIDTH / bins
    tallest = max(1, int(counts.max(initial=1)))
    parts = [
        f'<rect x="{place * width + 1:.1f}" y="{height - 20 - 120 * count / tallest:.1f}" '
        f'width="{width - 2:.1f}" height="{120 * count / tallest:.1f}" fill="#0072B2" '
        'fill-opacity=".8"/>'
        for place, count in enumerate(counts)
    ]
    parts.append(
        f'<text class="faint" x="0" y="{height - 4}">0: text</text>'
        f'<text class="faint" x="{_WIDTH}" y="{height - 4}" text-anchor="end">1: picture</text>'
        f'<text class="faint" x="{_WIDTH / 2}" y="{height - 4}" text-anchor="middle">'
        f"highest bar: {tallest:,} of {len(values):,} queries</text>"
    )
    return _svg(height, "".join(parts))


def reliability(bins: Sequence[tuple[float, float, int]]) -> Markup:
    """Return a reliability plot: dots on the diagonal say what happens, dots below it too much.

    Args:
        bins: (predicted chance, observed share, number of queries), both in [0, 1]; a dot's area
            follows the number.
    """
    size, left = 200, 40
    most = max([queries for *_, queries in bins] + [1])

    def place(predicted: float, observed: float) -> tuple[float, float]:
        return left + predicted * size, 10 + (1 - observed) * size

    start, end = place(0, 0), place(1, 1)
    parts = [
        f'<path class="axis" d="M{start[0]} {start[1]}L{end[0]} {end[1]}" stroke-dasharray="4 4"/>'
        f'<path class="axis" d="M{left} 10V{10 + size}H{left + size}" fill="none"/>'
    ]
    for share in (0.0, 0.5, 1.0):
        x, y = place(share, share)
        parts.append(
            f'<text class="faint" x="0" y="{y + 4:.1f}">{share:.1f}</text>'
            f'<text class="faint" x="{x:.1f}" y="{size + 28}" text-anchor="middle">'
            f"{share:.1f}</text>"
        )
    for predicted, observed, queries in bins:
        x, y = place(predicted, observed)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 9 * (queries / most) ** 0.5:.1f}" '
            'fill="#0072B2" fill-opacity=".6"><title>'
            f"P(q) {predicted:.2f}, observed {observed:.2f}, {queries} queries</title></circle>"
        )
    return _svg(size + 40, "".join(parts))


def _spread(places: list[float], gap: float = 15) -> list[float]:
    """Return label heights moved apart so that none lies on another."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    result = list(places)
    for before, after in pairwise(order):
        result[after] = max(result[after], result[before] + gap)
    return result


def _svg(height: int, body: str) -> Markup:
    # Everything inside comes from numbers and from texts escaped above.
    return Markup(  # noqa: S704
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="100%" role="img">{body}</svg>'
    )
