"""Draws the backdrop (sky and skyline) and the ground: lawns, sidewalks, the road and
its markings.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import noise
from .canvas import LAMP, SELF_LIT, Canvas, shaded
from .classes import (
    ASPHALT,
    BUILDING,
    GRASS,
    LAWN,
    LEAF,
    PAVING,
    PLASTER,
    ROAD,
    SIDEWALK,
    SIZE,
    TREE,
    code,
)
from .colors import asphalt, lawn, leaves, paving, wall

FAR, BEHIND = 400.0, -60.0  # how far the ground reaches along the street, metres


@dataclass(frozen=True)
class Ground:
    road_half: float  # metres from the middle of the road to its kerb
    walks: tuple[float, float]  # widths of the left and right sidewalks, metres
    paved: tuple[bool, bool]  # whether the land beyond the sidewalk is paved too
    lawn: NDArray[np.float32]
    asphalt: NDArray[np.float32]
    paving: NDArray[np.float32]
    dashes: bool
    crossing: float | None  # v of a zebra crossing

    def walk_edge(self, side: int) -> float:
        """Returns |u| where the sidewalk ends."""
        return self.road_half + self.walks[0 if side < 0 else 1]

    def paint(self, canvas: Canvas) -> None:
        up = canvas.brightness(np.array([0.0, 0.0, 1.0]))
        self._strip(canvas, -FAR, FAR, shaded(self.lawn, up), code(GRASS, LAWN))
        walk = shaded(self.paving, up)
        for side, paved in zip((-1, 1), self.paved, strict=True):
            edge = FAR if paved else self.walk_edge(side)
            inner, outer = sorted((side * self.road_half, side * edge))
            self._strip(canvas, inner, outer, walk, code(SIDEWALK, PAVING))
        self._joints(canvas, walk)
        self._strip(
            canvas, -self.road_half, self.road_half, shaded(self.asphalt, up), code(ROAD, ASPHALT)
        )
        self._kerbs(canvas, up)
        self._markings(canvas, up)

    def _strip(
        self, canvas: Canvas, left: float, right: float, shade: NDArray[np.float32], surface: int
    ) -> None:
        """Paints a strip of ground along the street, hazier with distance, in three pieces."""
        for start, end, distance in ((60.0, FAR, 90.0), (25.0, 60.0, 38.0), (BEHIND, 25.0, 12.0)):
            canvas.face(_flat(left, right, start, end), shade, surface, distance)

    def _joints(self, canvas: Canvas, shade: NDArray[np.float32]) -> None:
        """Paints the gaps between the sidewalk's slabs."""
        quads, pitch = [], 1.25
        for side in (-1, 1):
            inner, outer = self.road_half, self.walk_edge(side)
            for along in np.arange(-14.0, 26.0, pitch):
                quads.append(_flat(side * inner, side * outer, along, along + 0.06))
            for across in np.arange(inner, outer, pitch):
                for start in np.arange(-14.0, 26.0, 8.0):
                    at = side * across
                    quads.append(_flat(at, at + 0.06, start, start + 8.0))
        fill = canvas.fill(shade * np.float32(0.72), 12)
        canvas.quads(np.array(quads), [fill] * len(quads))

    def _kerbs(self, canvas: Canvas, up: float) -> None:
        stone = shaded(self.paving * np.float32(1.18), up)
        for side in (-1, 1):
            inner, outer = sorted((side * self.road_half, side * (self.road_half + 0.25)))
            canvas.face(_flat(inner, outer, BEHIND, 80.0), stone, code(SIDEWALK), 15)

    def _markings(self, canvas: Canvas, up: float) -> None:
        quads = []
        if self.dashes:
            quads += [_flat(-0.09, 0.09, at, at + 2.2) for at in np.arange(-21.0, 60.0, 5.0)]
        if self.crossing is not None:
            start = self.crossing
            bars = np.arange(-self.road_half + 0.4, self.road_half - 0.4, 1.1)
            quads += [_flat(at, at + 0.55, start, start + 3.2) for at in bars]
        if quads:
            white = canvas.fill(shaded((0.86, 0.86, 0.82), up), 14)
            canvas.quads(np.array(quads), [white] * len(quads))


def _flat(left: float, right: float, start: float, end: float) -> NDArray[np.float64]:
    """Returns a rectangle on the ground (4, 3)."""
    return np.array([[left, start, 0.0], [right, start, 0.0], [right, end, 0.0], [left, end, 0.0]])


def sample_ground(rng: np.random.Generator, paved: tuple[bool, bool]) -> Ground:
    """Draws at random a street's cross section and its surfaces."""
    return Ground(
        road_half=float(rng.uniform(3.2, 5.2)),
        paved=paved,
        walks=(rng.uniform(2.0, 3.8), rng.uniform(2.0, 3.8)),
        lawn=lawn(rng),
        asphalt=asphalt(rng),
        paving=paving(rng),
        dashes=bool(rng.random() < 0.75),
        crossing=float(rng.uniform(4, 20)) if rng.random() < 0.35 else None,
    )


def paint_sky(canvas: Canvas) -> None:
    """Paints sky, clouds, stars and, some nights, a moon: the farthest layer."""
    light, rng = canvas.light, np.random.default_rng(canvas.rng.integers(2**31))
    height = np.clip(np.linspace(0, SIZE / canvas.camera.horizon, SIZE, dtype=np.float32), 0, 1)
    sky = light.sky_top + (light.sky_low - light.sky_top) * (height**1.4)[:, None]
    clouds = noise.window("cloud", rng, SIZE)
    cover = np.clip((clouds + light.cloud_cover) * 0.5, 0, 0.9)[..., None]
    pixels = sky[:, None, :] * (1 - cover) + light.cloud * cover
    rgba = np.full((SIZE, SIZE, 4), SELF_LIT, np.uint8)
    rgba[..., :3] = np.clip(pixels, 0, 1) * 255
    canvas.reopen(Image.fromarray(rgba))
    horizon = canvas.camera.horizon
    for x, y, tone in zip(
        rng.uniform(0, SIZE, light.stars),
        rng.uniform(0, horizon, light.stars),
        rng.integers(90, 235, light.stars),
        strict=True,
    ):
        canvas.ellipse((x, y), (0.6, 0.6), (tone, tone, tone, SELF_LIT), None)
    if light.stars > 60:
        moon = (rng.uniform(40, SIZE - 40), rng.uniform(20, horizon * 0.5))
        canvas.ellipse(moon, (13, 13), (236, 232, 214, SELF_LIT), None)


def paint_skyline(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints distant houses and woods along the horizon."""
    left, town = -20.0, rng.random() < 0.6
    horizon = canvas.camera.horizon
    while left < SIZE:
        width = float(rng.uniform(24, 80))
        if rng.random() < (0.65 if town else 0.2):
            _distant_house(canvas, rng, left, width, horizon)
        else:
            _distant_wood(canvas, rng, left, width, horizon)
        left += width * 0.92


def _distant_house(
    canvas: Canvas, rng: np.random.Generator, left: float, width: float, horizon: float
) -> None:
    top = horizon - float(rng.uniform(20, 90))
    fill = canvas.fill(shaded(wall(rng), canvas.light.ambient), 90)
    box = [(left, horizon + 6), (left + width, horizon + 6), (left + width, top), (left, top)]
    canvas.shape(box, fill, code(BUILDING, PLASTER))
    lamp = canvas.fill(canvas.light.lamp * np.float32(0.8), 90, LAMP - 60)
    dark = canvas.fill(shaded((0.2, 0.22, 0.26), canvas.light.ambient), 60)
    for x in np.arange(left + 4, left + width - 6, 9):
        for y in np.arange(top + 6, horizon - 6, 11):
            pane = [(x, y), (x + 4, y), (x + 4, y + 5), (x, y + 5)]
            lit = rng.random() < canvas.light.lit_windows
            canvas.shape(pane, lamp if lit else dark, None)


def _distant_wood(
    canvas: Canvas, rng: np.random.Generator, left: float, width: float, horizon: float
) -> None:
    leaf, height = leaves(rng), float(rng.uniform(14, 48))
    for _ in range(14):
        brightness = canvas.light.ambient * float(rng.uniform(0.65, 1.0))
        fill = canvas.fill(shaded(leaf, brightness), 80)
        center = (left + rng.uniform(0, width), horizon - rng.uniform(-2, height * 0.8))
        radius = float(rng.uniform(0.3, 0.5)) * height + 4
        canvas.ellipse(center, (radius, radius * 0.9), fill, code(TREE, LEAF))
