"""Computes shadows on the ground: a dark patch underneath, and what the sun throws."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .camera import Points
from .light import Light

Shadow = tuple[Points, float]  # a polygon on the ground (N, 3), and the share of light it takes
FAINT = 0.2  # weaker sunlight throws no shadow


@dataclass(frozen=True)
class Sunlight:
    throw: NDArray[np.float64]  # (2,): where a point one metre up throws its shadow, in u and v
    strength: float

    @property
    def throws(self) -> bool:
        return self.strength > FAINT


def sunlight(light: Light) -> Sunlight:
    """Returns the direct light of a scene; a low sun's shadows are kept within reason."""
    return Sunlight(-light.sun[:2] / max(light.sun[2], 0.25), light.shadow)


def of_upright(u: float, v: float, height: float, width: float, sun: Sunlight) -> list[Shadow]:
    """Returns the shadows of a post, a person or a tree `width` meters wide on top."""
    half, wide = width / 2, width > 2
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    disk = np.stack([np.cos(turn) * half, np.sin(turn) * half, np.zeros(12)], axis=1)
    foot = np.array([u, v, 0.0])
    under = [(foot + disk * (0.25 if wide else 0.7), 0.4)]
    if not sun.throws:
        return under
    tip = foot + np.array([*sun.throw * min(height, 6.0) * 0.75, 0.0])
    side = np.array([0.12, 0.0, 0.0])
    stem = np.array([foot - side, foot + side, tip + side, tip - side])
    crown = tip + disk * (1.0 if wide else 0.4)
    return [*under, (stem, 0.4 * sun.strength), (crown, 0.4 * sun.strength)]


def of_box(footprint: Points, height: float, sun: Sunlight) -> list[Shadow]:
    """Returns the shadows of a box that stands on `footprint` (4, 3)."""
    under = [(footprint, 0.55)]
    if not sun.throws:
        return under
    offset = np.array([*sun.throw * height * 0.8, 0.0])
    return [*under, (footprint + offset, 0.42 * sun.strength)]


def of_row(front: float, start: float, end: float, height: float, sun: Sunlight) -> list[Shadow]:
    """Returns the shadow that a wall along the street at u = `front` throws towards the road."""
    side = np.sign(front)
    reach = min(max(-side * sun.throw[0], 0.0) * height, 30.0)
    if reach == 0 or not sun.throws:
        return []
    toward, slip = front - side * reach, sun.throw[1] * height
    flat = [[front, start, 0], [front, end, 0], [toward, end + slip, 0], [toward, start + slip, 0]]
    return [(np.array(flat), 0.45 * sun.strength)]
