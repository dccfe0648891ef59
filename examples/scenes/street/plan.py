"""Plans a street: what stands where, drawn at random and independent of the light."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .buildings import Building, sample_buildings
from .camera import Camera
from .canvas import Canvas
from .classes import SIZE
from .furniture import FencePanel, sample_fence, sample_pole, sample_sign
from .ground import Ground, sample_ground
from .people import sample_person
from .plants import sample_tree
from .shadows import Shadow, Sunlight
from .vehicles import Vehicle, sample_vehicle


class Thing(Protocol):
    """Anything that stands on the ground and is painted in the order of its distance."""

    def distance(self, canvas: Canvas) -> float: ...
    def shadows(self, sun: Sunlight) -> list[Shadow]: ...
    def paint(self, canvas: Canvas) -> None: ...


@dataclass(frozen=True)
class Plan:
    camera: Camera
    ground: Ground
    buildings: list[Building]
    things: list[Thing]


Spot = tuple[float, float]


def sample_plan(rng: np.random.Generator) -> Plan:
    """Draws a random street seen from a random place."""
    towns = tuple(
        str(kind) for kind in rng.choice(["town", "houses", "park"], 2, p=[0.4, 0.36, 0.24])
    )
    paved = (towns[0] == "town" and rng.random() < 0.5, towns[1] == "town" and rng.random() < 0.5)
    ground = sample_ground(rng, paved)
    camera = _sample_camera(rng, ground)
    buildings: list[Building] = []
    things: list[Thing] = []
    for side, kind in zip((-1, 1), towns, strict=True):
        edge = ground.walk_edge(side)
        if kind != "park":
            setback = rng.uniform(0.3, 3.5) if kind == "town" else rng.uniform(4, 9)
            buildings += sample_buildings(rng, side, edge + float(setback), kind == "town")
        if rng.random() < (0.15 if kind == "town" else 0.75):
            things += _seen(camera, sample_fence(rng, side * (edge + 0.25)))
        things += _trees(rng, camera, side, edge, kind)
    things += _vehicles(rng, camera, ground)
    things += _walkers(rng, camera, ground)
    return Plan(camera, ground, buildings, things)


def _sample_camera(rng: np.random.Generator, ground: Ground) -> Camera:
    """Places a camera on the road or a sidewalk, looking along the street or, one time
    in four, across it.
    """
    u = float(rng.uniform(-1, 1)) * (ground.road_half + 1.5)
    along = np.radians(rng.uniform(-38, 38))
    across = -np.sign(u) * np.radians(rng.uniform(55, 100))
    return Camera(
        u=u,
        height=float(rng.uniform(1.6, 2.9)),
        yaw=float(across if rng.random() < 0.25 else along),
        focal=float(rng.uniform(400, 560)),
        horizon=float(rng.uniform(205, 285)),
    )


def _seen(camera: Camera, panels: list[FencePanel]) -> list[Thing]:
    return [panel for panel in panels if camera.distance(panel.u, panel.start + 1.2) > 1.5]


def _spots(
    rng: np.random.Generator,
    camera: Camera,
    band: Spot,
    reach: Spot,
    count: int,
    apart: float = 0.8,
) -> list[Spot]:
    """Finds up to `count` ground points in view with u in `band` and `reach` meters ahead."""
    found: list[Spot] = []
    for _ in range(count * 14):
        if len(found) == count:
            break
        spot = camera.world(float(rng.uniform(10, SIZE - 10)), float(rng.uniform(*reach)))
        clear = all(np.hypot(spot[0] - u, spot[1] - v) > apart for u, v in found)
        if band[0] < spot[0] < band[1] and clear:
            found.append(spot)
    return found


def _trees(
    rng: np.random.Generator, camera: Camera, side: int, edge: float, kind: str
) -> list[Thing]:
    """Places trees on the land beyond the sidewalk; a few along the curb in a town."""
    count = int(rng.integers(0, 3) if kind == "town" else rng.integers(2, 7))
    near, far = (edge - 1.0, edge + 0.5) if kind == "town" else (edge + 1.0, edge + 14.0)
    band = (side * near, side * far) if side > 0 else (side * far, side * near)
    return [sample_tree(rng, u, v) for u, v in _spots(rng, camera, band, (7, 38), count, 2.0)]


def _vehicles(rng: np.random.Generator, camera: Camera, ground: Ground) -> list[Thing]:
    """Places traffic that keeps to its side, and cars parked at the curb, none inside another."""
    placed: list[Vehicle] = []
    lane = ground.road_half * 0.5
    spots = _spots(rng, camera, (-ground.road_half, ground.road_half), (7, 34), 6, 4.0)
    for u, v in spots[: int(rng.integers(1, 5))]:
        kerb = rng.random() < 0.4
        side = 1 if u > 0 else -1
        across = side * (ground.road_half - 1.1 if kerb else lane)
        vehicle = sample_vehicle(rng, across, v, side)
        reach = vehicle.length / 2
        corner = min(camera.distance(across, v - reach), camera.distance(across, v + reach))
        free = all(
            abs(other.v - v) > (other.length + vehicle.length) / 2 + 0.6
            or abs(other.u - across) > 2.4
            for other in placed
        )
        if free and corner > 3.2:
            placed.append(vehicle)
    return list(placed)


def _walkers(rng: np.random.Generator, camera: Camera, ground: Ground) -> list[Thing]:
    """Places people on the sidewalks, some crossing the road; poles and signs near the curbs."""
    things: list[Thing] = []
    for side in (-1, 1):
        kerb, edge = ground.road_half, ground.walk_edge(side)
        walk = _band(side, kerb + 0.4, edge - 0.2)
        rim = _band(side, kerb + 0.2, kerb + 1.0)
        people = _spots(rng, camera, walk, (4.5, 14), int(rng.integers(0, 4)))
        things += [sample_person(rng, u, v) for u, v in people]
        poles = _spots(rng, camera, rim, (5, 17), int(rng.integers(0, 3)), 2.0)
        things += [sample_pole(rng, u, v) for u, v in poles]
        signs = _spots(rng, camera, rim, (4.5, 12), int(rng.integers(0, 3)), 2.0)
        things += [sample_sign(rng, u, v) for u, v in signs]
    crossing = _spots(rng, camera, (-kerb, kerb), (5, 14), int(rng.integers(0, 2)))
    return things + [sample_person(rng, u, v) for u, v in crossing]


def _band(side: int, near: float, far: float) -> Spot:
    """Returns the strip between two distances from the middle of the street, on one side."""
    return (near, far) if side > 0 else (-far, -near)
