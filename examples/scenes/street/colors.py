"""Defines color ranges that classes share: walls, vehicles, signs, clothes and fences
draw alike.
"""

import numpy as np
from numpy.typing import NDArray

Color = NDArray[np.float32]


def _hsv(hue: float, saturation: float, value: float) -> Color:
    """Returns one color (3,), 0..1, from hue, saturation and value."""
    shift = (np.array([5.0, 3.0, 1.0]) + hue * 6) % 6
    ramp = np.clip(np.minimum(shift, 4 - shift), 0, 1)
    return np.asarray(value - value * saturation * ramp, np.float32)


def any_paint(rng: np.random.Generator) -> Color:
    """Draws any paint: about one in two a gray from black to white, else any hue."""
    if rng.random() < 0.45:
        return _hsv(rng.random(), rng.uniform(0, 0.08), rng.uniform(0.12, 0.95))
    return _hsv(rng.random(), rng.uniform(0.25, 0.85), rng.uniform(0.3, 0.92))


def wall(rng: np.random.Generator) -> Color:
    """Draws a wall's color: often plaster or brick, now and then any paint."""
    kind = rng.random()
    if kind < 0.35:
        return _hsv(rng.uniform(0.05, 0.14), rng.uniform(0.08, 0.4), rng.uniform(0.45, 0.88))
    if kind < 0.6:
        return _hsv(rng.uniform(0.0, 0.06), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.65))
    return any_paint(rng) * np.float32(0.9)


def leaves(rng: np.random.Generator) -> Color:
    """Draws a color of foliage: green, sometimes autumn."""
    if rng.random() < 0.3:
        return _hsv(rng.uniform(0.0, 0.14), rng.uniform(0.45, 0.8), rng.uniform(0.4, 0.7))
    return _hsv(rng.uniform(0.2, 0.4), rng.uniform(0.3, 0.65), rng.uniform(0.28, 0.55))


def lawn(rng: np.random.Generator) -> Color:
    """Draws a color of grass: green to straw."""
    return _hsv(rng.uniform(0.13, 0.33), rng.uniform(0.25, 0.6), rng.uniform(0.35, 0.62))


def asphalt(rng: np.random.Generator) -> Color:
    """Draws the color of a road surface."""
    return _hsv(rng.random(), rng.uniform(0, 0.1), rng.uniform(0.24, 0.52))


def paving(rng: np.random.Generator) -> Color:
    """Draws the color of a sidewalk: gray, sand or reddish."""
    return _hsv(rng.uniform(0.0, 0.14), rng.uniform(0, 0.3), rng.uniform(0.36, 0.72))


def wood(rng: np.random.Generator) -> Color:
    """Draws the color of timber, bare or painted."""
    if rng.random() < 0.5:
        return _hsv(rng.uniform(0.04, 0.12), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.75))
    return any_paint(rng)


def skin(rng: np.random.Generator) -> Color:
    """Draws the color of a face or a hand."""
    return _hsv(rng.uniform(0.04, 0.09), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.92))
