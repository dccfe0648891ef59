"""Draws people upright on the screen, standing or in mid-step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Pixels, shaded
from .classes import CLOTH, PERSON, SMOOTH, code
from .colors import any_paint, skin
from .shadows import Shadow, Sunlight, of_upright


@dataclass(frozen=True)
class Person:
    u: float
    v: float
    height: float
    build: float  # 1: average
    step: float  # metres between the feet, signed
    skirt: bool
    bag: bool
    coat: NDArray[np.float32]
    trousers: NDArray[np.float32]
    skin: NDArray[np.float32]
    hair: NDArray[np.float32]

    def distance(self, canvas: Canvas) -> float:
        return canvas.camera.distance(self.u, self.v)

    def shadows(self, sun: Sunlight) -> list[Shadow]:
        return of_upright(self.u, self.v, self.height, 0.5, sun)

    def paint(self, canvas: Canvas) -> None:
        foot = canvas.camera.polygon(np.array([[self.u, self.v, 0.0], [self.u, self.v, 0.01]]))
        if foot is not None:
            _Figure(self, canvas, *map(float, foot[0])).paint()


class _Figure:
    """One person's strokes, in body heights from the foot point."""

    def __init__(self, person: Person, canvas: Canvas, x: float, y: float) -> None:
        self.person, self.canvas, self.x, self.y = person, canvas, x, y
        self.distance = person.distance(canvas)
        self.unit = person.height * canvas.camera.focal / self.distance  # pixels a body height
        self.brightness = canvas.light.ambient + 0.15

    def paint(self) -> None:
        person = self.person
        swing, build = person.step, person.build
        for sign, dim in ((-1, 0.8), (1, 1.0)):
            leg = [(0.02, 0.5), (sign * swing + sign * 0.04, 0.02)]
            self._limb(leg, 0.105 * build, person.trousers, dim)
            shoe = (sign * swing + sign * 0.04 + 0.025, 0.02)
            self._disk(shoe, (0.055, 0.024), (0.1, 0.09, 0.09))
        self._limb([(-0.12 * build, 0.78), (-0.15 - swing * 0.7, 0.47)], 0.07, person.coat, 0.75)
        self._torso(build)
        self._limb([(0.12 * build, 0.78), (0.15 + swing * 0.7, 0.47)], 0.07, person.coat, 1.05)
        self._disk((0.15 + swing * 0.7, 0.45), (0.03, 0.03), person.skin)
        if person.bag:
            self._disk((-0.19, 0.42), (0.07, 0.085), person.trousers[::-1])
        self._disk((0, 0.915), (0.064, 0.085), person.skin)
        self._disk((-0.008, 0.955), (0.07, 0.05), person.hair)

    def _torso(self, build: float) -> None:
        low = 0.36 if self.person.skirt else 0.46
        wide = 0.17 if self.person.skirt else 0.125
        torso = [
            (-0.155 * build, 0.8),
            (-0.06, 0.84),
            (0.06, 0.84),
            (0.155 * build, 0.8),
            (0.115 * build, 0.6),
            (wide * build, low),
            (-wide * build, low),
            (-0.115 * build, 0.6),
        ]
        self.canvas.shape(self._pixels(torso), self._fill(self.person.coat), code(PERSON, CLOTH))

    def _pixels(self, points: list[tuple[float, float]]) -> Pixels:
        return [(self.x + across * self.unit, self.y - up * self.unit) for across, up in points]

    def _fill(
        self, shade: NDArray[np.float32] | tuple[float, ...], dim: float = 1.0
    ) -> tuple[int, int, int, int]:
        return self.canvas.fill(shaded(shade, self.brightness * dim), self.distance)

    def _limb(
        self,
        points: list[tuple[float, float]],
        width: float,
        shade: NDArray[np.float32],
        dim: float,
    ) -> None:
        pixels = max(width * self.unit, 2.0)
        self.canvas.line(self._pixels(points), pixels, self._fill(shade, dim), code(PERSON, CLOTH))

    def _disk(
        self,
        center: tuple[float, float],
        radii: tuple[float, float],
        shade: NDArray[np.float32] | tuple[float, ...],
    ) -> None:
        across, down = radii[0] * self.unit, radii[1] * self.unit
        place = self._pixels([center])[0]
        self.canvas.ellipse(place, (across, down), self._fill(shade), code(PERSON, SMOOTH))


def sample_person(rng: np.random.Generator, u: float, v: float) -> Person:
    """Draws at random a person at (u, v)."""
    return Person(
        u=u,
        v=v,
        height=float(rng.uniform(1.5, 1.95)),
        build=float(rng.uniform(0.95, 1.3)),
        step=float(rng.uniform(-0.12, 0.12)),
        skirt=bool(rng.random() < 0.3),
        bag=bool(rng.random() < 0.4),
        coat=any_paint(rng),
        trousers=any_paint(rng) * 0.75,
        skin=skin(rng),
        hair=any_paint(rng) * np.float32(0.5),
    )
