"""Models the light of a scene: hour, sun, sky, haze, and what the camera makes of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Hour = Literal["day", "dusk", "night"]
Color = NDArray[np.float32]  # (3,), 0..1


@dataclass(frozen=True)
class Light:
    hour: Hour
    tint: Color  # what the light makes of a white surface
    sun: NDArray[np.float64]  # (3,) unit vector towards the sun, in u, v, h
    shadow: float  # 0: no cast shadow (overcast, night) .. 1: hard sun
    ambient: float  # share of light that a surface turned away still gets
    sky_top: Color
    sky_low: Color
    cloud: Color
    cloud_cover: float
    haze: float  # 1 / metres
    lamp: Color  # color of lamps and lit windows
    lit_windows: float  # share of windows with light in them
    noise: float  # deviation of the sensor, 0..1
    stars: int


def _rgb(*values: float) -> Color:
    return np.array(values, np.float32) / 255


def sample_light(rng: np.random.Generator, hour: Hour | None = None) -> Light:
    """Draws a random light; `hour` fixes the time of day (default: day 50 %, dusk 15 %,
    night 35 %).
    """
    drawn = str(rng.choice(["day", "dusk", "night"], p=[0.5, 0.15, 0.35]))
    draw = {"day": _day, "dusk": _dusk, "night": _night}[hour or drawn]
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(22, 60))
    flat = np.cos(elevation)
    sun = np.array([np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(elevation)])
    return draw(rng, sun)


def _white_balance(rng: np.random.Generator, spread: float) -> Color:
    return rng.uniform(1 - spread, 1 + spread, 3).astype(np.float32)


def _day(rng: np.random.Generator, sun: NDArray[np.float64]) -> Light:
    overcast = rng.random()
    clear_top, gray_top = _rgb(70, 130, 205), _rgb(150, 156, 166)
    clear_low, gray_low = _rgb(186, 212, 232), _rgb(206, 208, 210)
    balance = _white_balance(rng, 0.1)
    return Light(
        hour="day",
        tint=balance * np.float32(rng.uniform(0.82, 1.18)),
        sun=sun,
        shadow=float(np.clip(1.3 - 1.5 * overcast, 0, 1)),
        ambient=0.52 + 0.3 * overcast,
        sky_top=(clear_top + (gray_top - clear_top) * overcast) * balance,
        sky_low=(clear_low + (gray_low - clear_low) * overcast) * balance,
        cloud=_rgb(244, 244, 246) * balance * np.float32(1 - 0.18 * overcast),
        cloud_cover=float(rng.uniform(-1.2, 1.2)),
        haze=float(rng.uniform(0.0015, 0.008)),
        lamp=_rgb(255, 222, 160),
        lit_windows=0.04,
        noise=float(rng.uniform(0.008, 0.022)),
        stars=0,
    )


def _dusk(rng: np.random.Generator, sun: NDArray[np.float64]) -> Light:
    glow = float(rng.uniform(0.3, 1.0))
    return Light(
        hour="dusk",
        tint=_rgb(214, 158 + 20 * (1 - glow), 138 + 44 * (1 - glow)) * _white_balance(rng, 0.08),
        sun=sun * [1, 1, 0.45],
        shadow=0.45,
        ambient=0.62,
        sky_top=_rgb(74, 78, 128) * _white_balance(rng, 0.12),
        sky_low=_rgb(246, 150 + 30 * (1 - glow), 96 + 70 * (1 - glow)),
        cloud=_rgb(214, 126, 118) * _white_balance(rng, 0.1),
        cloud_cover=float(rng.uniform(-0.8, 1.0)),
        haze=float(rng.uniform(0.003, 0.009)),
        lamp=_rgb(255, 206, 138),
        lit_windows=0.3,
        noise=float(rng.uniform(0.014, 0.028)),
        stars=0,
    )


def _night(rng: np.random.Generator, sun: NDArray[np.float64]) -> Light:
    sodium = rng.random() < 0.5
    return Light(
        hour="night",
        tint=_rgb(100, 110, 142) * _white_balance(rng, 0.16) * np.float32(rng.uniform(0.75, 1.25)),
        sun=sun,
        shadow=0.0,
        ambient=0.8,
        sky_top=_rgb(16, 20, 40) * _white_balance(rng, 0.3),
        sky_low=_rgb(48, 46, 66) * _white_balance(rng, 0.3),
        cloud=_rgb(62, 58, 72),
        cloud_cover=float(rng.uniform(-1.5, 0.6)),
        haze=float(rng.uniform(0.002, 0.008)),
        lamp=_rgb(255, 190, 104) if sodium else _rgb(236, 238, 255),
        lit_windows=float(rng.uniform(0.3, 0.6)),
        noise=float(rng.uniform(0.022, 0.042)),
        stars=int(rng.integers(20, 120)),
    )
