"""Models a pinhole camera above a flat street.

The world has three axes, in metres:  u across the street, v along it, h up.

        v ^   /  yaw
          |  / .
          | /.
          C------> u        C: the camera, at (u, 0, height)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .classes import SIZE

Points = NDArray[np.float64]
NEAR = 0.6  # metres: nothing closer is drawn


@dataclass(frozen=True)
class Camera:
    u: float  # metres from the middle of the street
    height: float  # metres
    yaw: float  # radians from the street's direction, positive to the right
    focal: float  # pixels
    horizon: float  # row of the image

    def view(self, points: Points) -> Points:
        """Returns world points (N, 3) as right, up and forward of the camera (N, 3), in meters."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        across, along = points[:, 0] - self.u, points[:, 1]
        right, forward = across * cos - along * sin, across * sin + along * cos
        return np.stack([right, points[:, 2] - self.height, forward], axis=1)

    def image(self, view: Points) -> Points:
        """Returns points of the camera's frame (N, 3) as pixels (N, 2), x and y."""
        scale = self.focal / view[:, 2]
        return np.stack([SIZE / 2 + view[:, 0] * scale, self.horizon - view[:, 1] * scale], axis=1)

    def polygon(self, points: Points) -> Points | None:
        """Returns a world polygon (N, 3) in pixels (M, 2), cut at the near plane; None
        out of sight.
        """
        view = self.view(points)
        if view[:, 2].min() < NEAR:
            view = _cut_near(view)
            if len(view) < 3:
                return None
        pixels = np.clip(self.image(view), -8192, 8192)
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        return None if high.min() < 0 or low.max() > SIZE else pixels

    def world(self, x: float, distance: float) -> tuple[float, float]:
        """Returns the ground point (u, v) seen in column x at `distance` meters ahead."""
        right = (x - SIZE / 2) * distance / self.focal
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return self.u + right * cos + distance * sin, distance * cos - right * sin

    def distance(self, u: float, v: float) -> float:
        """Returns how far ahead (u, v) is, in meters; negative behind the camera."""
        return float((u - self.u) * np.sin(self.yaw) + v * np.cos(self.yaw))

    def faces(self, point: Points, normal: Points) -> bool:
        """Tells whether a plane through `point` (3,) turns its front to the camera."""
        return bool(np.dot(normal, np.array([self.u, 0.0, self.height]) - point) > 0)


def _cut_near(view: Points) -> Points:
    """Returns the part of a polygon in the camera's frame that lies beyond the near plane."""
    kept = []
    for start, end in zip(view, np.roll(view, -1, axis=0), strict=True):
        inside, ends_inside = start[2] >= NEAR, end[2] >= NEAR
        if inside:
            kept.append(start)
        if inside != ends_inside:
            kept.append(start + (NEAR - start[2]) / (end[2] - start[2]) * (end - start))
    return np.array(kept)
