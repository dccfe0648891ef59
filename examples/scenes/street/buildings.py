"""Draws houses and blocks: boxes along the street with windows, doors and roofs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .camera import Points
from .canvas import LAMP, Canvas, shaded
from .classes import BRICK, BUILDING, PLASTER, code
from .colors import any_paint, wall
from .shadows import Shadow, Sunlight, of_row

UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Building:
    side: int  # -1: left of the street, 1: right
    front: float  # |u| of the front, metres
    start: float  # v of the near end
    length: float  # metres along the street
    depth: float
    height: float
    gable: bool
    wall: NDArray[np.float32]
    roof: NDArray[np.float32]
    trim: NDArray[np.float32]
    brick: bool
    bay: float  # metres from window to window
    storey: float  # metres from floor to floor

    def distance(self, canvas: Canvas) -> float:
        return canvas.camera.distance(self.side * self.front, self.start + self.length / 2)

    def shadows(self, sun: Sunlight) -> list[Shadow]:
        end = self.start + self.length
        return of_row(self.side * self.front, self.start, end, self.height, sun)

    def paint(self, canvas: Canvas) -> None:
        back = self.front + self.depth
        self._end(canvas, back)
        corner = np.array([self.side * self.front, self.start, 0.0])
        self._wall(
            canvas, corner, np.array([0.0, self.length, 0.0]), np.array([-self.side, 0, 0.0])
        )
        if self.gable:
            self._roof(canvas, back)

    def _end(self, canvas: Canvas, back: float) -> None:
        """Draws the wall across the street that the camera can see, with its gable."""
        seen_from_start = self.start > 0
        along = self.start if seen_from_start else self.start + self.length
        corner = np.array([self.side * self.front, along, 0.0])
        normal = np.array([0.0, -1.0 if seen_from_start else 1.0, 0.0])
        across = np.array([self.side * self.depth, 0.0, 0.0])
        if not canvas.camera.faces(corner, normal):
            return
        self._wall(canvas, corner, across, normal)
        if self.gable:
            eaves = corner + UP * self.height
            ridge = eaves + across / 2 + UP * self.depth * 0.34
            shade = shaded(self.wall, canvas.brightness(normal))
            corners = np.array([eaves, eaves + across, ridge])
            canvas.face(corners, shade, self._surface(), self.distance(canvas))

    def _surface(self) -> int:
        return code(BUILDING, BRICK if self.brick else PLASTER)

    def _wall(self, canvas: Canvas, corner: Points, across: Points, normal: Points) -> None:
        rise, brightness = UP * self.height, canvas.brightness(normal)
        distance = self.distance(canvas)
        corners = np.array([corner, corner + across, corner + across + rise, corner + rise])
        canvas.face(corners, shaded(self.wall, brightness), self._surface(), distance)
        trims = np.array([self._band(corner, across, low, high) for low, high in self._bands()])
        trim = canvas.fill(shaded(self.trim, brightness), distance)
        canvas.quads(trims, [trim] * len(trims))
        self._windows(canvas, corner, across, brightness)

    def _bands(self) -> list[tuple[float, float]]:
        """Returns from and to what height plinth and cornice go."""
        return [(0.0, 0.55), (self.height - 0.45, self.height)]

    @staticmethod
    def _band(corner: Points, across: Points, low: float, high: float) -> Points:
        return np.array(
            [
                corner + UP * low,
                corner + across + UP * low,
                corner + across + UP * high,
                corner + UP * high,
            ]
        )

    def _windows(self, canvas: Canvas, corner: Points, across: Points, brightness: float) -> None:
        length = float(np.linalg.norm(across))
        columns, rows = max(int(length / self.bay), 1), max(int(self.height / self.storey), 1)
        pitch = length / columns
        left = (np.arange(columns) + 0.5) * pitch
        sill = np.arange(rows) * self.storey + 1.0
        centers, sills = (grid.ravel() for grid in np.meshgrid(left, sill))
        rng = np.random.default_rng(int(abs(self.start) * 1000) + columns)
        lit = rng.random(len(centers)) < canvas.light.lit_windows
        tones = rng.uniform(0.75, 1.1, len(centers))
        half, tall = min(pitch * 0.3, 1.0), min(self.storey * 0.55, self.storey - 1.3)
        frames = _panes(corner, across / length, centers, sills, half + 0.13, tall + 0.13)
        panes = _panes(corner, across / length, centers, sills, half, tall)
        distance = self.distance(canvas)
        frame = canvas.fill(shaded(self.trim, brightness), distance)
        canvas.quads(frames, [frame] * len(frames))
        glass = shaded(canvas.light.sky_low * 0.35 + 0.08, brightness)
        fills = [
            canvas.fill(canvas.light.lamp * np.float32(tone * 0.85), distance, LAMP - 40)
            if on
            else canvas.fill(glass * np.float32(tone), distance)
            for on, tone in zip(lit, tones, strict=True)
        ]
        canvas.quads(panes, fills)

    def _roof(self, canvas: Canvas, back: float) -> None:
        middle, rise = (self.front + back) / 2, self.depth * 0.34
        over, end = 0.4, self.start + self.length
        slope = [
            [self.side * (self.front - over), self.start - over, self.height - 0.25],
            [self.side * (self.front - over), end + over, self.height - 0.25],
            [self.side * middle, end + over, self.height + rise],
            [self.side * middle, self.start - over, self.height + rise],
        ]
        normal = np.array([-self.side * 0.56, 0.0, 0.83])
        shade = shaded(self.roof, canvas.brightness(normal))
        canvas.face(np.array(slope), shade, code(BUILDING, BRICK), self.distance(canvas))


def _panes(
    corner: Points, along: Points, centers: Points, sills: Points, half: float, tall: float
) -> Points:
    """Returns upright rectangles (N, 4, 3) on a wall, by their middles and sills."""
    left = corner + along * (centers - half)[:, None]
    right = corner + along * (centers + half)[:, None]
    low, high = UP * (sills - (0.13 if half > 1 else 0))[:, None], UP * (sills + tall)[:, None]
    return np.stack([left + low, right + low, right + high, left + high], axis=1)


def sample_buildings(
    rng: np.random.Generator, side: int, front: float, town: bool
) -> list[Building]:
    """Draws at random a row of buildings along one side of the street: blocks in a
    town, houses out of it.
    """
    row, along = [], -26.0 + rng.uniform(0, 8)
    while along < 110:
        length = float(rng.uniform(9, 22) if town else rng.uniform(8, 14))
        row.append(_building(rng, side, front + rng.uniform(0, 1.5), along, length, town))
        gap = rng.choice([0.0, 3.0], p=[0.7, 0.3]) if town else rng.uniform(4, 14)
        along += length + float(gap)
    return row


def _building(
    rng: np.random.Generator, side: int, front: float, start: float, length: float, town: bool
) -> Building:
    storey = float(rng.uniform(2.9, 3.6))
    storeys = int(rng.integers(2, 8) if town else rng.integers(1, 3))
    return Building(
        side=side,
        front=front,
        start=start,
        length=length,
        depth=float(rng.uniform(8, 12)),
        height=storeys * storey + 0.4,
        gable=bool(rng.random() < (0.2 if town else 0.9)),
        wall=wall(rng),
        roof=any_paint(rng) * np.float32(0.7),
        trim=any_paint(rng) * np.float32(0.4) + np.float32(rng.choice([0.1, 0.5])),
        brick=bool(rng.random() < 0.5),
        bay=float(rng.uniform(2.2, 3.6)),
        storey=storey,
    )
