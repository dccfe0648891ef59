"""Draws the things that stand along a street: lamp posts, masts, signs and fences."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .canvas import LAMP, Canvas, Pixels, shaded
from .classes import FENCE, POLE, SIGN, WOOD, code
from .colors import any_paint, wood
from .shadows import Shadow, Sunlight, of_upright

THIN = 12.0  # pixels: no pole is drawn thinner


@dataclass(frozen=True)
class Pole:
    """A lamp post with an arm, or a wooden mast with crossbars."""

    u: float
    v: float
    height: float
    lamp: bool
    arm: float  # metres the lamp reaches out, signed
    shade: NDArray[np.float32]

    def distance(self, canvas: Canvas) -> float:
        return canvas.camera.distance(self.u, self.v)

    def shadows(self, sun: Sunlight) -> list[Shadow]:
        return of_upright(self.u, self.v, self.height, 0.5, sun)

    def paint(self, canvas: Canvas) -> None:
        ends = canvas.camera.polygon(
            np.array([[self.u, self.v, 0.0], [self.u, self.v, self.height]])
        )
        if ends is None:
            return
        distance, brightness = self.distance(canvas), canvas.light.ambient
        scale = canvas.camera.focal / distance
        (x, low), (_, high) = ends
        half = max(THIN, 0.23 * scale) / 2
        self._post(canvas, x, low, high, half, distance)
        fill = canvas.fill(shaded(self.shade, brightness), distance)
        if self.lamp:
            self._lamp(canvas, x, high, half, scale, low)
        else:
            for drop in (0.25, 0.85):
                bar = [
                    (x - 0.8 * scale, high + drop * scale),
                    (x + 0.8 * scale, high + drop * scale),
                ]
                canvas.line(bar, max(7.0, 0.14 * scale), fill, code(POLE, WOOD))

    def _post(
        self, canvas: Canvas, x: float, low: float, high: float, half: float, distance: float
    ) -> None:
        """Paints a round post: a lit side and a dark one."""
        for left, right, dim in ((-1.0, 1.0, 1.0), (-1.0, -0.4, 1.2), (0.45, 1.0, 0.62)):
            strip = [
                (x + left * half, low),
                (x + right * half, low),
                (x + right * half, high),
                (x + left * half, high),
            ]
            shade = shaded(self.shade, canvas.light.ambient * dim)
            surface = code(POLE) if left == -1.0 and right == 1.0 else None
            canvas.shape(strip, canvas.fill(shade, distance), surface)

    def _lamp(
        self, canvas: Canvas, x: float, y: float, half: float, scale: float, foot: float
    ) -> None:
        fill = canvas.fill(shaded(self.shade, canvas.light.ambient), self.distance(canvas))
        tip = x + self.arm * scale
        canvas.line([(x, y + half * 0.5), (tip, y - 0.2 * scale)], half * 1.5, fill, code(POLE))
        head = (tip, y - 0.16 * scale)
        radii = (max(0.38 * scale, 11.0), max(0.16 * scale, 6.0))
        canvas.ellipse(head, radii, fill, code(POLE))
        on = canvas.light.hour != "day"
        shade = canvas.light.lamp if on else np.array([0.85, 0.85, 0.8], np.float32)
        glass = canvas.fill(shade, self.distance(canvas), LAMP if on else 0)
        canvas.ellipse(
            (tip, head[1] + radii[1] * 0.4), (radii[0] * 0.7, radii[1] * 0.6), glass, None
        )
        if on:
            canvas.glow(tip, (head[1] + foot) / 2, (foot - head[1]) * 0.55)


Outline = Literal["disk", "triangle", "octagon", "square", "board"]
CORNERS: dict[Outline, tuple[int, float]] = {
    "disk": (24, 0.0),
    "triangle": (3, np.pi / 2),
    "octagon": (8, np.pi / 8),
    "square": (4, 0.0),
}


@dataclass(frozen=True)
class Sign:
    """A traffic sign or a board on its own post."""

    u: float
    v: float
    height: float  # of the plate's middle, metres
    radius: float  # metres
    outline: Outline
    plate: NDArray[np.float32]
    mark: NDArray[np.float32]
    post: NDArray[np.float32]
    lines: int

    def distance(self, canvas: Canvas) -> float:
        return canvas.camera.distance(self.u, self.v)

    def shadows(self, sun: Sunlight) -> list[Shadow]:
        return of_upright(self.u, self.v, self.height, 0.5, sun)

    def paint(self, canvas: Canvas) -> None:
        ends = canvas.camera.polygon(
            np.array([[self.u, self.v, 0.0], [self.u, self.v, self.height]])
        )
        if ends is None:
            return
        (x, low), (_, middle) = ends
        scale = canvas.camera.focal / self.distance(canvas)
        half = max(THIN, 0.16 * scale) / 2
        post = [(x - half, low), (x + half, low), (x + half, middle), (x - half, middle)]
        self._draw(canvas, post, self.post * np.float32(0.85), code(POLE))
        dark = [
            (x + half * 0.3, low),
            (x + half, low),
            (x + half, middle),
            (x + half * 0.3, middle),
        ]
        self._draw(canvas, dark, self.post * np.float32(0.55), None)
        self._plate(canvas, x, middle, max(self.radius * scale, 17.0))

    def _draw(
        self, canvas: Canvas, pixels: Pixels, shade: NDArray[np.float32], surface: int | None
    ) -> None:
        brightness = canvas.light.ambient + 0.22
        canvas.shape(pixels, canvas.fill(shaded(shade, brightness), self.distance(canvas)), surface)

    def _plate(self, canvas: Canvas, x: float, y: float, radius: float) -> None:
        for size, shade, surface in (
            (1.0, self.mark, code(SIGN)),
            (0.8, self.plate, None),
        ):
            self._draw(canvas, self._ring(x, y, radius * size), shade, surface)
        for index in range(self.lines):
            top = y + radius * (0.42 * (index - (self.lines - 1) / 2) - 0.1)
            wide = radius * (0.62 if self.outline == "board" else 0.42)
            bar = [
                (x - wide, top),
                (x + wide, top),
                (x + wide, top + radius * 0.2),
                (x - wide, top + radius * 0.2),
            ]
            self._draw(canvas, bar, self.mark, None)

    def _ring(self, x: float, y: float, radius: float) -> Pixels:
        if self.outline == "board":
            wide, tall = radius * 1.35, radius * 0.85
            return [
                (x - wide, y - tall),
                (x + wide, y - tall),
                (x + wide, y + tall),
                (x - wide, y + tall),
            ]
        count, start = CORNERS[self.outline]
        turn = start + np.arange(count) * 2 * np.pi / count
        return [(x + radius * np.cos(t), y - radius * np.sin(t)) for t in turn]


@dataclass(frozen=True)
class FencePanel:
    """A few meters of fence along the street."""

    u: float
    start: float
    length: float
    height: float
    bars: bool  # bars between rails, else planks side by side
    shade: NDArray[np.float32]

    def distance(self, canvas: Canvas) -> float:
        return canvas.camera.distance(self.u, self.start + self.length / 2)

    def shadows(self, sun: Sunlight) -> list[Shadow]:
        return []

    def paint(self, canvas: Canvas) -> None:
        end, distance = self.start + self.length, self.distance(canvas)
        brightness = canvas.brightness(np.array([-np.sign(self.u), 0.0, 0.0]))
        back = self.shade * np.float32(0.42 if self.bars else 1.0)
        panel = _upright(self.u, self.start, end, 0.0, self.height)
        canvas.face(panel, shaded(back, brightness), code(FENCE, WOOD), distance)
        step = 0.24 if distance < 12 else 0.48
        starts = np.arange(self.start, end - 0.05, step)
        width = step * (0.55 if self.bars else 0.22)
        slats = np.array([_upright(self.u, at, at + width, 0.0, self.height) for at in starts])
        tone = self.shade if self.bars else self.shade * np.float32(0.4)
        fill = canvas.fill(shaded(tone, brightness), distance)
        canvas.quads(slats, [fill] * len(slats))
        rails = np.array(
            [
                _upright(self.u, self.start, end, low, low + 0.1)
                for low in (self.height * 0.22, self.height * 0.8)
            ]
        )
        rail = canvas.fill(shaded(self.shade * np.float32(0.75), brightness), distance)
        canvas.quads(rails, [rail] * len(rails))


def _upright(u: float, start: float, end: float, low: float, high: float) -> NDArray[np.float64]:
    """Returns a rectangle standing along the street (4, 3)."""
    return np.array([[u, start, low], [u, end, low], [u, end, high], [u, start, high]])


def sample_pole(rng: np.random.Generator, u: float, v: float) -> Pole:
    """Draws at random a lamp post, or one time in four a mast."""
    lamp = bool(rng.random() < 0.75)
    arm = -float(np.sign(u)) * rng.uniform(0.7, 1.5)
    return Pole(
        u=u, v=v, height=float(rng.uniform(3.8, 6.5)), lamp=lamp, arm=arm, shade=any_paint(rng)
    )


def sample_sign(rng: np.random.Generator, u: float, v: float) -> Sign:
    """Draws at random a sign of any outline and color."""
    outlines: list[Outline] = ["disk", "triangle", "octagon", "square", "board"]
    light = np.array([0.93, 0.93, 0.9], np.float32)
    first, second = any_paint(rng), light if rng.random() < 0.6 else any_paint(rng)
    plate, mark = (first, second) if rng.random() < 0.6 else (second, first)
    return Sign(
        u=u,
        v=v,
        height=float(rng.uniform(2.1, 3.0)),
        radius=float(rng.uniform(0.42, 0.65)),
        outline=outlines[int(rng.integers(len(outlines)))],
        plate=plate,
        mark=mark,
        post=any_paint(rng),
        lines=int(rng.integers(1, 3)),
    )


def sample_fence(rng: np.random.Generator, u: float) -> list[FencePanel]:
    """Draws at random a fence along the street at `u`, in panels, with a gap or two."""
    height, bars, shade = float(rng.uniform(1.0, 1.7)), bool(rng.random() < 0.4), wood(rng)
    panels, length = [], 2.4
    for start in np.arange(-20.0, 70.0, length):
        if rng.random() < 0.93:
            panels.append(FencePanel(u, float(start), length, height, bars, shade))
    return panels
