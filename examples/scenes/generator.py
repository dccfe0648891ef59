"""Draws procedural street scenes with exact label maps: the same seed always gives the same scene.

image, labels = scene(7)                  # (512, 512, 3) uint8, (512, 512) uint8
image, labels = scene(7, "night")         # the same street after dark
"""

import numpy as np
from numpy.typing import NDArray
from street.classes import CLASSES, PALETTE, SIZE
from street.light import Hour, sample_light
from street.plan import sample_plan
from street.render import render

__all__ = ["CLASSES", "PALETTE", "SIZE", "hour_of", "scene"]


def scene(seed: int, hour: Hour | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws the scene of a seed: image (512, 512, 3) uint8 and labels (512, 512) uint8,
    classes 0 to 11.

    `hour` changes only the light: the label map stays the same, pixel by pixel.
    """
    plan = sample_plan(np.random.default_rng([seed, 0]))
    light = sample_light(np.random.default_rng([seed, 1]), hour)
    return render(plan, light, np.random.default_rng([seed, 2]))


def hour_of(seed: int) -> Hour:
    """Returns the time of day that a seed draws."""
    return sample_light(np.random.default_rng([seed, 1])).hour
