"""The demo shop's pictures: flat illustrations whose colour, pattern and shape can be seen.

Shapes are drawn once per kind with supersampling; items recolour them. Arrays are [H, W] or
[H, W, 3], float32 in [0, 1] unless said otherwise.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from smar.demo.catalogue import COLOURS, DemoItem

HEIGHT, WIDTH = 120, 96
_OVERSAMPLING = 4

Array = NDArray[np.floating[Any]]
Points = list[tuple[float, float]]
# Polygons ("p"), ellipses ("e"), rounded boxes ("r") in units of the picture's width (96) and height
# (120), by layer: "body" takes colour and pattern, "detail" a darker tone of it, "frame" a neutral.
_SHAPES: dict[str, dict[str, list[tuple[str, Points]]]] = {
    "dress": {
        "body": [("p", [(38, 18), (42, 26), (54, 26), (58, 18), (62, 20), (60, 48), (78, 104), (18, 104),
                        (36, 48), (34, 20)])],
        "detail": [("p", [(36, 47), (60, 47), (61, 53), (35, 53)])],
    },
    "shirt": {
        "body": [("p", [(34, 26), (42, 31), (54, 31), (62, 26), (86, 42), (77, 60), (68, 54), (68, 98),
                        (28, 98), (28, 54), (19, 60), (10, 42)])],
        "detail": [("p", [(40, 28), (48, 40), (56, 28), (54, 31), (48, 33), (42, 31)])],
    },
    "trousers": {
        "body": [("p", [(30, 18), (66, 18), (74, 106), (55, 106), (48, 48), (41, 106), (22, 106)])],
        "detail": [("p", [(30, 18), (66, 18), (66.6, 25), (29.4, 25)])],
    },
    "skirt": {
        "body": [("p", [(32, 32), (64, 32), (84, 96), (72, 100), (48, 102), (24, 100), (12, 96)])],
        "detail": [("p", [(32, 28), (64, 28), (64.8, 36), (31.2, 36)])],
    },
    "jacket": {
        "body": [("p", [(34, 20), (48, 26), (62, 20), (84, 36), (82, 86), (70, 86), (69, 100), (27, 100),
                        (26, 86), (14, 86), (12, 36)])],
        "detail": [("p", [(34, 20), (48, 54), (62, 20), (56, 21), (48, 34), (40, 21)]),
                   ("p", [(47, 54), (49, 54), (49, 100), (47, 100)]),
                   ("r", [(31, 74), (42, 78)]), ("r", [(54, 74), (65, 78)])],
    },
    "sneaker": {
        "body": [("p", [(12, 46), (20, 44), (30, 54), (44, 52), (58, 64), (80, 70), (87, 79), (86, 84),
                        (10, 84)])],
        "detail": [("p", [(34, 54), (44, 52), (58, 64), (52, 68)])],
        "frame": [("r", [(9, 82), (88, 92)])],
    },
    "boot": {
        "body": [("p", [(26, 22), (52, 22), (54, 66), (74, 74), (80, 86), (80, 92), (26, 92)])],
        "detail": [("r", [(26, 22), (52, 30)])],
        "frame": [("p", [(24, 91), (82, 91), (82, 98), (44, 98), (42, 95), (40, 100), (24, 100)])],
    },
    "sandal": {
        "body": [("p", [(14, 76), (34, 50), (44, 50), (34, 78)]), ("p", [(50, 82), (62, 58), (74, 60), (80, 82)]),
                 ("p", [(30, 54), (70, 62), (69, 70), (28, 61)])],
        "frame": [("p", [(10, 78), (40, 80), (70, 80), (88, 82), (87, 91), (40, 91), (10, 93)])],
    },
    "backpack": {
        "body": [("r", [(22, 30), (74, 104)])],
        "detail": [("r", [(30, 66), (66, 96)]), ("p", [(22, 50), (74, 50), (74, 53), (22, 53)])],
        "frame": [("p", [(38, 30), (40, 16), (56, 16), (58, 30), (53, 30), (52, 21), (44, 21), (43, 30)])],
    },
    "handbag": {
        "body": [("p", [(18, 54), (78, 54), (86, 100), (10, 100)])],
        "detail": [("p", [(18, 54), (78, 54), (72, 70), (48, 76), (24, 70)])],
        "frame": [("p", [(28, 56), (30, 30), (40, 20), (56, 20), (66, 30), (68, 56), (63, 56), (61, 33), (53, 25),
                         (43, 25), (35, 33), (33, 56)])],
    },
    "chair": {
        "body": [("r", [(26, 18), (70, 66)]), ("r", [(20, 62), (76, 78)])],
        "frame": [("p", [(23, 78), (29, 78), (26, 110), (21, 110)]), ("p", [(67, 78), (73, 78), (75, 110), (70, 110)])],
    },
    "sofa": {
        "body": [("r", [(14, 38), (82, 72)]), ("r", [(6, 54), (22, 90)]), ("r", [(74, 54), (90, 90)]),
                 ("r", [(14, 66), (82, 90)])],
        "detail": [("p", [(47.3, 68), (48.7, 68), (48.7, 88), (47.3, 88)]), ("p", [(22, 67), (74, 67), (74, 69), (22, 69)])],
        "frame": [("r", [(14, 89), (20, 98)]), ("r", [(76, 89), (82, 98)])],
    },
    "cushion": {
        "body": [("p", [(12, 28), (30, 33), (66, 33), (84, 28), (79, 46), (79, 80), (84, 98), (66, 93),
                        (30, 93), (12, 98), (17, 80), (17, 46)])],
    },
    "lamp": {
        "body": [("p", [(32, 16), (64, 16), (80, 56), (16, 56)])],
        "frame": [("p", [(46, 56), (50, 56), (50, 100), (46, 100)]), ("e", [(28, 98), (68, 108)])],
    },
    # What the non-visual kinds look like: packaging that tells nothing.
    "box": {
        "body": [("p", [(22, 38), (60, 38), (60, 100), (22, 100)])],
        "detail": [("p", [(60, 38), (74, 30), (74, 90), (60, 100)]), ("p", [(22, 38), (36, 30), (74, 30), (60, 38)])],
        "label": [("r", [(28, 56), (54, 74)])],
    },
    "bottle": {
        "body": [("r", [(32, 44), (64, 106)]), ("p", [(40, 46), (42, 28), (54, 28), (56, 46)])],
        "frame": [("r", [(40, 16), (56, 30)])],
        "label": [("r", [(35, 62), (61, 86)])],
    },
    "book": {
        "body": [("r", [(24, 22), (74, 100)])],
        "detail": [("p", [(24, 22), (30, 22), (30, 100), (24, 100)])],
        "label": [("r", [(37, 36), (68, 48)])],
    },
    "pouch": {
        "body": [("p", [(26, 26), (70, 26), (75, 102), (21, 102)])],
        "detail": [("p", [(26, 26), (70, 26), (70.6, 34), (25.4, 34)])],
        "label": [("r", [(34, 54), (62, 78)])],
    },
    "coil": {
        "body": [("e", [(16, 34), (80, 98)]), ("p", [(66, 30), (72, 34), (60, 52), (54, 48)])],
        "hole": [("e", [(32, 50), (64, 82)])],
        "frame": [("r", [(62, 20), (76, 34)])],
    },
}  # fmt: skip
_PACKAGE = {
    "novel": "book", "guide": "book", "notebook": "book", "cable": "coil", "tablets": "box",
    "coffee": "pouch", "pasta": "pouch", "battery": "box", "software": "box", "seeds": "pouch",
    "detergent": "bottle", "filter": "box",
}  # fmt: skip
_NEUTRALS = ((196, 188, 174), (172, 178, 184), (206, 202, 194), (160, 158, 152), (186, 178, 186))
_BACKGROUNDS = ((247, 245, 240), (241, 244, 247), (246, 242, 246), (243, 246, 242), (248, 246, 243))


def draw_item(item: DemoItem, rng: np.random.Generator) -> Image.Image:
    """Return the picture of an item, 96 x 120 pixels; light, place and shade vary a little."""
    if item.kind.is_visual:
        shape, colour, pattern = (
            item.kind.name,
            COLOURS[item.facts["colour"]],
            item.facts["pattern"],
        )
    else:
        shape, pattern = _PACKAGE[item.kind.name], "plain"
        colour = _NEUTRALS[int(rng.integers(len(_NEUTRALS)))]
    size = (0.92, 1.0, 1.06)[int(rng.integers(3))]
    shift = tuple(int(pixels) for pixels in rng.integers(-3, 4, 2))
    layers = {name: np.roll(layer, shift, (0, 1)) for name, layer in _layers(shape, size).items()}
    background = np.array(_BACKGROUNDS[int(rng.integers(len(_BACKGROUNDS)))], np.float32) / 255
    canvas: Array = background * _vignette()[:, :, None]
    canvas = canvas * (1 - 0.28 * layers["shadow"][:, :, None])
    base = _shade(np.array(colour, np.float32) / 255, rng)
    surface = _with_pattern(base, pattern, rng) * _light()[:, :, None]
    canvas = _lay(canvas, surface, layers["body"])
    for name, tone in (
        ("detail", surface * 0.78),
        ("frame", np.full(3, 0.34, np.float32) * _light()[:, :, None]),
        ("label", np.full(3, 0.93, np.float32) * _light()[:, :, None]),
        ("hole", background * _vignette()[:, :, None]),
        ("edge", surface * 0.62),
    ):
        if name in layers:
            canvas = _lay(canvas, tone, layers[name])
    return Image.fromarray((np.clip(canvas, 0, 1) * 255).round().astype(np.uint8))


def _lay(canvas: Array, tone: Array, alpha: Array) -> Array:
    return canvas + (tone - canvas) * alpha[:, :, None]


def _shade(colour: Array, rng: np.random.Generator) -> Array:
    """Return a colour a little lighter or darker, so that no two items match exactly."""
    return np.clip(colour * rng.uniform(0.92, 1.08) + rng.uniform(-0.02, 0.02, 3), 0, 1).astype(
        np.float32
    )


def _with_pattern(base: Array, pattern: str, rng: np.random.Generator) -> Array:
    """Return the surface [H, W, 3] of a colour with a pattern in a contrasting tone."""
    if pattern == "plain":
        return np.broadcast_to(base, (HEIGHT, WIDTH, 3))
    mask = _pattern(pattern, int(rng.integers(4)))[:, :, None]
    luminance = float(base @ np.array([0.3, 0.59, 0.11], np.float32))
    other = base * 0.35 if luminance > 0.72 else base * 0.25 + 0.75
    return base + (other - base) * mask * 0.92


@cache
def _pattern(name: str, variant: int) -> Array:
    """Return where a pattern shows its second tone."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    pitch = 9.0 + variant
    if name == "striped":
        along = y if variant % 2 == 0 else x
        return _edge(np.sin(2 * np.pi * along / pitch), 0.15)
    if name == "checked":
        lines = [_edge(np.sin(2 * np.pi * v / (pitch + 3)), 0.1) for v in (x, y)]
        return 0.5 * lines[0] + 0.5 * lines[1]
    row = np.floor(y / pitch)
    u = (x + (row % 2) * pitch / 2) % pitch - pitch / 2
    v = y % pitch - pitch / 2
    if name == "dotted":
        return _edge(0.27 * pitch - np.hypot(u, v), 0.0)
    petals = 0.34 * pitch * (0.72 + 0.42 * np.cos(5 * np.arctan2(v, u)))
    flower = _edge(petals - np.hypot(u, v), 0.0)
    return np.clip(flower - _edge(0.09 * pitch - np.hypot(u, v), 0.0), 0, 1)


def _edge(value: Array, above: float) -> Array:
    """Return 1 where a value lies above a bound, with a soft edge."""
    return np.clip((value - above) * 2.2 + 0.5, 0, 1).astype(np.float32)


@cache
def _light() -> Array:
    """Return light that falls from the upper left."""
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j].astype(np.float32)
    return (1.06 - 0.16 * x - 0.08 * y).astype(np.float32)


@cache
def _vignette() -> Array:
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    return (1.01 - 0.05 * (x**2 + y**2)).astype(np.float32)


@cache
def _layers(shape: str, size: float) -> dict[str, Array]:
    """Return the alpha of every layer of a shape, its soft shadow and its edge."""
    masks = {name: _mask(parts, size) for name, parts in _SHAPES[shape].items()}
    whole = Image.new("L", masks["body"].size)
    for name, mask in masks.items():
        if name != "hole":
            whole.paste(255, mask=mask)
    small = (WIDTH, HEIGHT)
    layers = {name: _small(mask) for name, mask in masks.items()}
    shadow = whole.resize(small, Image.Resampling.BOX)
    layers["shadow"] = np.roll(_array(shadow.filter(ImageFilter.GaussianBlur(4))), (5, 3), (0, 1))
    inner = masks["body"].filter(ImageFilter.MinFilter(2 * _OVERSAMPLING - 3))
    layers["edge"] = np.clip(layers["body"] - _small(inner), 0, 1) * 0.55
    return layers


def _mask(parts: list[tuple[str, Points]], size: float) -> Image.Image:
    scale = _OVERSAMPLING * size
    offset = (WIDTH / 2 * (1 - size), HEIGHT / 2 * (1 - size))
    image = Image.new("L", (WIDTH * _OVERSAMPLING, HEIGHT * _OVERSAMPLING))
    draw = ImageDraw.Draw(image)
    for form, points in parts:
        placed = [
            (x * scale + offset[0] * _OVERSAMPLING, y * scale + offset[1] * _OVERSAMPLING)
            for x, y in points
        ]
        if form == "p":
            draw.polygon(placed, fill=255)
        elif form == "e":
            draw.ellipse(placed, fill=255)
        else:
            draw.rounded_rectangle(placed, radius=5 * _OVERSAMPLING, fill=255)
    return image.filter(ImageFilter.GaussianBlur(_OVERSAMPLING / 2))


def _small(mask: Image.Image) -> Array:
    return _array(mask.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def _array(image: Image.Image) -> Array:
    return np.asarray(image, np.float32) / 255
