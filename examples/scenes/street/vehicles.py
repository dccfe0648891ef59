"""Draws cars and buses: a side profile drawn out to its width, with glass, wheels and lamps.

The profile is a ring of (length, height) points, tail left, nose right; its edges between the
belt line and the roof are windscreens.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .camera import Points
from .canvas import LAMP, Canvas, shaded
from .classes import BUS, CAR, code
from .colors import any_paint
from .shadows import Shadow, Sunlight, of_box

Ring = tuple[tuple[float, float], ...]
SEDAN: Ring = (
    (-2.2, 0.3),
    (-2.2, 0.9),
    (-1.6, 0.98),
    (-1.05, 1.44),
    (0.45, 1.46),
    (1.15, 0.98),
    (2.1, 0.82),
    (2.2, 0.3),
)
HATCH: Ring = (
    (-1.9, 0.3),
    (-1.95, 0.95),
    (-1.6, 1.5),
    (0.4, 1.52),
    (1.05, 1.0),
    (1.85, 0.85),
    (1.95, 0.3),
)
ESTATE: Ring = (
    (-2.3, 0.35),
    (-2.3, 1.05),
    (-2.05, 1.72),
    (0.3, 1.74),
    (1.05, 1.1),
    (2.15, 0.98),
    (2.25, 0.35),
)
VAN: Ring = ((-2.4, 0.35), (-2.4, 2.05), (1.0, 2.1), (1.8, 1.15), (2.35, 1.0), (2.4, 0.35))
CARS: tuple[Ring, ...] = (SEDAN, HATCH, ESTATE, VAN)
GLASS = np.array([0.13, 0.16, 0.19], np.float32)
TYRE = (0.07, 0.07, 0.08)


@dataclass(frozen=True)
class Vehicle:
    u: float
    v: float
    heading: int  # 1: drives away along the street, -1: towards the camera's end
    ring: Ring
    half_width: float
    label: int
    body: NDArray[np.float32]
    stripe: NDArray[np.float32]
    lamps_on: bool

    @property
    def length(self) -> float:
        return self.ring[-1][0] - self.ring[0][0]

    @property
    def height(self) -> float:
        return max(height for _, height in self.ring)

    def distance(self, canvas: Canvas) -> float:
        return canvas.camera.distance(self.u, self.v)

    def footprint(self) -> Points:
        """Returns the ground under it (4, 3)."""
        half = self.length / 2
        return self._place([(-half, 0), (half, 0), (half, 0), (-half, 0)], [-1, -1, 1, 1])

    def _place(self, profile: list[tuple[float, float]], sides: list[float]) -> Points:
        """Returns profile points at `sides` half-widths from the middle, in the world (N, 3)."""
        return np.array(
            [
                (self.u + side * self.half_width, self.v + self.heading * along, height)
                for (along, height), side in zip(profile, sides, strict=True)
            ]
        )

    def shadows(self, sun: Sunlight) -> list[Shadow]:
        return of_box(self.footprint(), self.height, sun)

    def paint(self, canvas: Canvas) -> None:
        side = 1.0 if canvas.camera.u > self.u else -1.0
        self._wheels(canvas, side, back=True)
        for edge in self._seen_edges(canvas):
            self._edge(canvas, *edge)
        self._side(canvas, side)
        self._wheels(canvas, side)
        self._lamps(canvas)

    def _seen_edges(self, canvas: Canvas) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        """Returns the profile's edges that face the camera, farthest first."""
        seen = []
        for start, end in zip(self.ring, self.ring[1:], strict=False):
            point = self._place([start], [0])[0]
            outward = np.array([0.0, -(end[1] - start[1]) * self.heading, end[0] - start[0]])
            if canvas.camera.faces(point, outward):
                middle = self.v + self.heading * (start[0] + end[0]) / 2
                seen.append((canvas.camera.distance(self.u, middle), start, end))
        return [(start, end) for _, start, end in sorted(seen, reverse=True)]

    def _edge(self, canvas: Canvas, start: tuple[float, float], end: tuple[float, float]) -> None:
        quad = self._place([start, start, end, end], [-1, 1, 1, -1])
        normal = np.array([0.0, -(end[1] - start[1]) * self.heading, end[0] - start[0]])
        brightness = canvas.brightness(normal / np.linalg.norm(normal))
        distance = self.distance(canvas)
        canvas.face(quad, shaded(self.body, brightness), code(self.label), distance)
        if self._is_screen(start, end):
            inset = [
                _mix(start, end, 0.1),
                _mix(start, end, 0.1),
                _mix(start, end, 0.88),
                _mix(start, end, 0.88),
            ]
            glass = shaded(GLASS + canvas.light.sky_low * np.float32(0.2), brightness)
            canvas.face(self._place(inset, [-0.86, 0.86, 0.8, -0.8]), glass, None, distance)

    def _is_screen(self, start: tuple[float, float], end: tuple[float, float]) -> bool:
        steep = abs(end[1] - start[1]) > 0.4
        return steep and max(start[1], end[1]) > 1.3

    def _side(self, canvas: Canvas, side: float) -> None:
        brightness = canvas.brightness(np.array([side, 0.0, 0.0]))
        distance = self.distance(canvas)
        ring = self._place(list(self.ring), [side] * len(self.ring))
        canvas.face(ring, shaded(self.body, brightness), code(self.label), distance)
        (self._bus_side if self.label == BUS else self._car_side)(
            canvas, side, brightness, distance
        )

    def _car_side(self, canvas: Canvas, side: float, brightness: float, distance: float) -> None:
        top = self.height
        roof = [along for along, height in self.ring if height > top - 0.1]
        belt = 0.95 if top < 1.6 else top * 0.62
        back, front = min(roof), max(roof)
        if top > 2:  # a van: glass only in front
            back = front - 0.9
        middle = (back + front) / 2 + 0.05
        glass = shaded(GLASS, brightness)
        low, high = belt + 0.05, top - 0.1
        for left, right, lean_left, lean_right in (
            (back, middle - 0.05, 0.25, 0.0),
            (middle + 0.05, front, 0.0, 0.4),
        ):
            pane = [(left - lean_left, low), (right + lean_right, low), (right, high), (left, high)]
            canvas.face(self._place(pane, [side * 1.01] * 4), glass, None, distance)
        sill = [(-1.9, 0.32), (1.9, 0.32), (1.9, 0.42), (-1.9, 0.42)]
        canvas.face(
            self._place(sill, [side * 1.01] * 4),
            shaded(self.body, brightness * 0.6),
            None,
            distance,
        )

    def _bus_side(self, canvas: Canvas, side: float, brightness: float, distance: float) -> None:
        half, panes = self.length / 2, 6
        stripe = [(-half, 0.85), (half, 0.85), (half, 1.15), (-half, 1.15)]
        canvas.face(
            self._place(stripe, [side * 1.01] * 4), shaded(self.stripe, brightness), None, distance
        )
        pitch = (self.length - 0.5) / panes
        alpha = 170 if canvas.light.lit_windows > 0.2 else 0
        glass = canvas.light.lamp * np.float32(0.8) if alpha else shaded(GLASS, brightness)
        for index in range(panes):
            left = -half + 0.3 + index * pitch
            right = left + pitch - 0.18
            pane = [(left, 1.4), (right, 1.4), (right, 2.6), (left, 2.6)]
            canvas.face(self._place(pane, [side * 1.01] * 4), glass, None, distance, alpha)

    def _wheels(self, canvas: Canvas, side: float, back: bool = False) -> None:
        radius = 0.5 if self.label == BUS else 0.34
        turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        distance = self.distance(canvas)
        for along in (-0.3 * self.length, 0.31 * self.length):
            sides = [side * (-0.95 if back else 1.02)] * len(turn)
            for size, shade in ((1.0, TYRE), (0.55, (0.5, 0.5, 0.52))):
                rim = [
                    (along + radius * size * np.cos(t), radius + radius * size * np.sin(t))
                    for t in turn
                ]
                canvas.face(self._place(rim, sides), shade, code(self.label), distance)

    def _lamps(self, canvas: Canvas) -> None:
        """Paints head lamps at the nose, red ones at the tail: whichever end the camera sees."""
        sees_nose = canvas.camera.faces(
            self._place([(self.length / 2, 0.7)], [0])[0], np.array([0.0, self.heading, 0.0])
        )
        sees_tail = canvas.camera.faces(
            self._place([(-self.length / 2, 0.7)], [0])[0], np.array([0.0, -self.heading, 0.0])
        )
        if not (sees_nose or sees_tail):
            return
        along = self.length / 2 + 0.02 if sees_nose else -self.length / 2 - 0.02
        on = self.lamps_on and canvas.light.hour != "day"
        shade = (1.0, 0.96, 0.82) if sees_nose else (0.95 if on else 0.6, 0.1, 0.08)
        low, high = (0.62, 0.8) if self.label == CAR else (0.7, 0.95)
        quad = [(along, low), (along, low), (along, high), (along, high)]
        for inner, outer in ((-0.9, -0.55), (0.55, 0.9)):
            corners = self._place(quad, [inner, outer, outer, inner])
            canvas.face(corners, shade, None, self.distance(canvas), LAMP if on else 0)
            pixels = canvas.camera.polygon(corners)
            if on and sees_nose and pixels is not None:
                x, y = pixels.mean(axis=0)
                canvas.glow(x, y + 8, 900 / max(self.distance(canvas), 4))


def _mix(start: tuple[float, float], end: tuple[float, float], share: float) -> tuple[float, float]:
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)


def sample_vehicle(rng: np.random.Generator, u: float, v: float, heading: int) -> Vehicle:
    """Draws at random a car, or one time in four a bus, at (u, v)."""
    bus = rng.random() < 0.24
    half = float(rng.uniform(3.6, 5.2))
    box: Ring = ((-half, 0.35), (-half, 3.0), (half - 0.25, 3.05), (half, 1.2), (half, 0.35))
    ring = CARS[int(rng.integers(len(CARS)))]
    body, stripe, lamps_on = any_paint(rng), any_paint(rng), bool(rng.random() < 0.85)
    return Vehicle(
        u=u,
        v=v,
        heading=heading,
        ring=box if bus else ring,
        half_width=1.25 if bus else 0.9,
        label=BUS if bus else CAR,
        body=body,
        stripe=stripe,
        lamps_on=lamps_on,
    )
