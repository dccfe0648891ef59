"""Paints two planes together, back to front: what a pixel shows, and what it is.

paint  RGBA   surface color under plain light; alpha: how much of it shines by itself
codes  L      class and texture (see `classes.code`)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .camera import NEAR, Camera, Points
from .classes import SIZE, SKY, code
from .light import Light

Shade = NDArray[np.float32] | Sequence[float]  # (3,), a surface color, 0..1
Pixels = list[tuple[float, float]]
SELF_LIT = 255  # alpha of the sky: shown as painted, and too far away to dazzle
LAMP = 245  # alpha of a lamp: shown as painted, and it glows


class Canvas:
    """Draws world polygons and screen shapes in perspective, with the light's shading and haze."""

    def __init__(self, camera: Camera, light: Light, rng: np.random.Generator) -> None:
        self.camera, self.light, self.rng = camera, light, rng
        self.paint = Image.new("RGBA", (SIZE, SIZE))
        self.codes = Image.new("L", (SIZE, SIZE), code(SKY))
        self._paint = ImageDraw.Draw(self.paint)
        self._codes = ImageDraw.Draw(self.codes)
        self.lamps: list[tuple[float, float, float]] = []  # x, y, radius of a pool of light, pixels

    def reopen(self, paint: Image.Image) -> None:
        """Goes on painting over another picture (RGBA)."""
        self.paint = paint
        self._paint = ImageDraw.Draw(paint)

    def fill(self, shade: Shade, distance: float, alpha: int = 0) -> tuple[int, int, int, int]:
        """Returns a surface color seen through `distance` meters of haze, as an RGBA fill."""
        clear = np.exp(-self.light.haze * max(distance, 0.0))
        haze = 0.0 if alpha else 0.72 * (1 - clear)
        red, green, blue = (
            int(min(max(value * (clear if not alpha else 1) + haze, 0.0), 1.0) * 255)
            for value in shade
        )
        return red, green, blue, alpha

    def brightness(self, normal: Points) -> float:
        """Returns how bright a surface with this normal (3,) is under the scene's light."""
        facing = max(0.0, float(normal @ self.light.sun))
        return self.light.ambient + (1.1 - self.light.ambient) * facing

    def face(
        self, corners: Points, shade: Shade, surface: int | None, distance: float, alpha: int = 0
    ) -> None:
        """Paints a world polygon (N, 3); `surface` is its code, None for a detail on
        what is there.
        """
        pixels = self.camera.polygon(corners)
        if pixels is not None:
            self.shape([(x, y) for x, y in pixels], self.fill(shade, distance, alpha), surface)

    def quads(self, corners: Points, fills: list[tuple[int, int, int, int]]) -> None:
        """Paints many small details: world quads (N, 4, 3), one fill each."""
        view = self.camera.view(corners.reshape(-1, 3))
        near = view[:, 2].reshape(-1, 4).min(axis=1) < NEAR
        view[:, 2] = np.maximum(view[:, 2], NEAR)
        pixels = self.camera.image(view).reshape(-1, 4, 2)
        extent = np.ptp(pixels, axis=1).min(axis=1)
        inside = (pixels.max(axis=(1, 2)) > 0) & (pixels[..., 0].min(axis=1) < SIZE)
        for index in np.flatnonzero(~near & inside & (extent >= 1.5)):
            self._paint.polygon(pixels[index].ravel().tolist(), fill=fills[index])

    def shape(self, pixels: Pixels, fill: tuple[int, ...], surface: int | None) -> None:
        """Paints a screen polygon."""
        self._paint.polygon(pixels, fill=fill)
        if surface is not None:
            self._codes.polygon(pixels, fill=surface)

    def line(self, pixels: Pixels, width: float, fill: tuple[int, ...], surface: int) -> None:
        """Paints a screen line `width` pixels wide."""
        self._paint.line(pixels, fill=fill, width=round(width), joint="curve")
        self._codes.line(pixels, fill=surface, width=round(width), joint="curve")

    def ellipse(
        self,
        center: tuple[float, float],
        radii: tuple[float, float],
        fill: tuple[int, ...],
        surface: int | None,
    ) -> None:
        """Paints a screen ellipse."""
        (x, y), (across, down) = center, radii
        box = (x - across, y - down, x + across, y + down)
        self._paint.ellipse(box, fill=fill)
        if surface is not None:
            self._codes.ellipse(box, fill=surface)

    def glow(self, x: float, y: float, radius: float) -> None:
        """Notes a pool of lamp light around a screen point, for after dark."""
        self.lamps.append((x, y, radius))


def shaded(shade: Shade, brightness: float) -> NDArray[np.float32]:
    """Returns a surface color under more or less light."""
    return np.asarray(shade, np.float32) * np.float32(brightness)
