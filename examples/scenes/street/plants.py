"""Draws trees: a trunk under a crown of leaf clumps, or a conifer's skirts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, shaded
from .classes import LEAF, TREE, WOOD, code
from .colors import leaves
from .shadows import Shadow, Sunlight, of_upright


@dataclass(frozen=True)
class Tree:
    u: float
    v: float
    height: float
    spread: float  # crown width, metres
    conifer: bool
    leaf: NDArray[np.float32]
    bark: NDArray[np.float32]
    seed: int

    def distance(self, canvas: Canvas) -> float:
        return canvas.camera.distance(self.u, self.v)

    def shadows(self, sun: Sunlight) -> list[Shadow]:
        return of_upright(self.u, self.v, self.height, self.spread, sun)

    def paint(self, canvas: Canvas) -> None:
        distance = self.distance(canvas)
        foot = canvas.camera.polygon(np.array([[self.u, self.v, 0.0], [self.u, self.v, 0.01]]))
        if foot is None:
            return
        x, y = foot[0]
        scale = canvas.camera.focal / distance
        self._trunk(canvas, x, y, scale, distance)
        (self._conifer if self.conifer else self._crown)(canvas, x, y, scale, distance)

    def _trunk(self, canvas: Canvas, x: float, y: float, scale: float, distance: float) -> None:
        half, top = 0.035 * self.height * scale * 0.8, y - 0.5 * self.height * scale
        trunk = [(x - half, y), (x + half, y), (x + half * 0.6, top), (x - half * 0.6, top)]
        fill = canvas.fill(shaded(self.bark, canvas.light.ambient), distance)
        canvas.shape(trunk, fill, code(TREE, WOOD))

    def _crown(self, canvas: Canvas, x: float, y: float, scale: float, distance: float) -> None:
        """Paints clumps of leaves, the shaded ones behind and below, the sunlit ones in front."""
        rng = np.random.default_rng(self.seed)
        count = 34
        turn, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
        across = np.cos(turn) * reach * self.spread * 0.42
        up = self.height * 0.64 + np.sin(turn) * reach * self.height * 0.27
        size = rng.uniform(0.13, 0.24, count) * self.spread
        sunlit = (up / self.height - 0.36) / 0.56 + 0.25 * across / self.spread
        sunlit = sunlit + rng.uniform(-0.15, 0.15, count)
        for index in np.argsort(sunlit):
            brightness = canvas.light.ambient * (0.5 + 0.85 * float(sunlit[index]))
            fill = canvas.fill(shaded(self.leaf, brightness + 0.12), distance)
            center = (x + across[index] * scale, y - up[index] * scale)
            radius = size[index] * scale
            canvas.ellipse(center, (radius, radius * 0.85), fill, code(TREE, LEAF))

    def _conifer(self, canvas: Canvas, x: float, y: float, scale: float, distance: float) -> None:
        skirts = 6
        for index in range(skirts):
            low = 0.12 + 0.76 * index / skirts
            high, half = low + 0.3, self.spread * 0.42 * (1.0 - index / (skirts + 0.6))
            brightness = canvas.light.ambient * (0.62 + 0.1 * index)
            fill = canvas.fill(shaded(self.leaf, brightness), distance)
            base, tip = y - low * self.height * scale, y - min(high, 1) * self.height * scale
            left, right = x - half * scale, x + half * scale
            sag = 0.035 * self.height * scale
            skirt = [
                (left, base),
                (x - half * 0.4 * scale, base - sag),
                (x, base + sag * 0.4),
                (x + half * 0.4 * scale, base - sag),
                (right, base),
                (x, tip),
            ]
            canvas.shape(skirt, fill, code(TREE, LEAF))


def sample_tree(rng: np.random.Generator, u: float, v: float) -> Tree:
    """Draws at random a tree at (u, v)."""
    conifer = bool(rng.random() < 0.25)
    height = float(rng.uniform(3.6, 8.5))
    return Tree(
        u=u,
        v=v,
        height=height,
        spread=height * float(rng.uniform(0.5, 0.85)),
        conifer=conifer,
        leaf=leaves(rng),
        bark=np.array([0.34, 0.26, 0.2], np.float32) * rng.uniform(0.7, 1.4),
        seed=int(rng.integers(2**31)),
    )
