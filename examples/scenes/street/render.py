"""Renders a plan in a light as a picture: paints back to front, then exposes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from . import noise
from .camera import Camera
from .canvas import SELF_LIT, Canvas
from .classes import (
    ASPHALT,
    BRICK,
    CLOTH,
    LAWN,
    LEAF,
    PAVING,
    PLASTER,
    SIZE,
    WOOD,
)
from .ground import paint_sky, paint_skyline
from .light import Light
from .plan import Plan
from .shadows import sunlight

Picture = NDArray[np.uint8]  # (512, 512, 3)
Labels = NDArray[np.uint8]  # (512, 512)
Plane = NDArray[np.float32]  # (512, 512)


def render(plan: Plan, light: Light, rng: np.random.Generator) -> tuple[Picture, Labels]:
    """Returns the picture of a plan in a light, and its label map."""
    canvas = Canvas(plan.camera, light, rng)
    paint_sky(canvas)
    paint_skyline(canvas, np.random.default_rng(rng.integers(2**31)))
    plan.ground.paint(canvas)
    _shadows(canvas, plan)
    for building in sorted(plan.buildings, key=lambda item: -item.distance(canvas)):
        building.paint(canvas)
    for thing in sorted(plan.things, key=lambda item: -item.distance(canvas)):
        thing.paint(canvas)
    codes = np.asarray(canvas.codes)
    return _expose(canvas, codes, rng), codes & 15


def _shadows(canvas: Canvas, plan: Plan) -> None:
    """Darkens the ground under things, and where the sun throws their shadows."""
    plane = Image.new("L", (SIZE, SIZE), 255)
    draw = ImageDraw.Draw(plane)
    sun = sunlight(canvas.light)
    for thing in [*plan.things, *plan.buildings]:
        for outline, share in thing.shadows(sun):
            pixels = canvas.camera.polygon(outline)
            if pixels is not None:
                draw.polygon([(x, y) for x, y in pixels], fill=int(255 * (1 - share)))
    soft = plane.filter(ImageFilter.BoxBlur(2))
    shade = Image.merge("RGBA", [soft, soft, soft, Image.new("L", (SIZE, SIZE), 255)])
    ground = Image.eval(canvas.codes, lambda value: 255 if value >> 4 else 0)  # all but the sky
    canvas.reopen(Image.composite(ImageChops.multiply(canvas.paint, shade), canvas.paint, ground))


def _expose(canvas: Canvas, codes: Labels, rng: np.random.Generator) -> Picture:
    """Applies texture, light, glare and the sensor's noise."""
    light = canvas.light
    paint = np.asarray(canvas.paint, np.float32) / 255
    surface, shine = paint[..., :3], paint[..., 3:]
    surface = surface * (1 + _texture(codes >> 4, canvas.camera, rng))[..., None]
    lit = light.tint + _lamp_light(canvas)[..., None] * light.lamp
    picture = surface * (lit + (1 - lit) * (shine > 0.3)) + _glare(canvas.paint)
    picture *= (1 + 0.05 * noise.window("broad", rng, SIZE))[..., None]
    picture += light.noise * noise.window("grain", rng, SIZE)[..., None]
    picture += (
        0.4 * light.noise * np.stack([noise.window("grain", rng, SIZE) for _ in range(3)], axis=-1)
    )
    return np.asarray(np.clip(picture, 0, 1) * 255, np.uint8)


def _texture(textures: Labels, camera: Camera, rng: np.random.Generator) -> Plane:
    """Returns how much each pixel's surface departs from its plain color, as a share."""
    x, y = rng.integers(0, noise.BANK, 2)
    rows = np.arange(SIZE, dtype=np.float32) - camera.horizon
    depth = camera.focal * camera.height / np.maximum(rows, 1.0)  # metres, of a row of ground
    across = (np.arange(SIZE, dtype=np.float32) - SIZE / 2) / camera.focal
    columns = (depth[:, None] * across * 40 + x).astype(np.int32) & (noise.BANK - 1)
    lines = (depth * 40 + y).astype(np.int32) & (noise.BANK - 1)
    ground = noise.bank()["ground"][lines[:, None], columns]
    near = np.clip(rows / 90, 0.25, 1)[:, None]
    total = np.zeros((SIZE, SIZE), np.float32)
    for texture, plane in (
        (PLASTER, 0.05 * noise.window("plaster", rng, SIZE)),
        (BRICK, 0.09 * noise.window("brick", rng, SIZE)),
        (LEAF, 0.22 * noise.window("leaf", rng, SIZE)),
        (LAWN, 0.17 * ground * near + 0.09 * noise.window("fine", rng, SIZE)),
        (ASPHALT, 0.07 * ground * near + 0.03 * noise.window("fine", rng, SIZE)),
        (PAVING, 0.05 * ground * near),
        (CLOTH, 0.1 * noise.window("plaster", rng, SIZE)),
        (WOOD, 0.09 * noise.window("brick", rng, SIZE).T),
    ):
        np.copyto(total, plane, where=textures == texture)
    return total


def _lamp_light(canvas: Canvas) -> Plane:
    """Returns the light that lamps throw on what is around them, from a coarse grid."""
    step = 8
    grid = np.zeros((SIZE // step, SIZE // step), np.float32)
    rows, columns = np.mgrid[0:SIZE:step, 0:SIZE:step].astype(np.float32)
    for x, y, radius in canvas.lamps:
        spread = ((columns - x) / radius) ** 2 + ((rows - y) / (radius * 1.1)) ** 2
        grid += np.exp(-1.6 * spread).astype(np.float32)
    strength = 0.55 if canvas.light.hour == "night" else 0.2
    return noise.resize(strength * np.minimum(grid, 1.6), SIZE)


def _glare(paint: Image.Image) -> NDArray[np.float32]:
    """Returns the bloom around lamps and lit windows (512, 512, 3)."""
    small = np.asarray(paint.resize((SIZE // 4, SIZE // 4), Image.Resampling.BOX), np.float32) / 255
    lamps = small[..., :3] * ((small[..., 3:] > 0.15) & (small[..., 3:] < (SELF_LIT - 4) / 255))
    bloom = Image.fromarray((np.clip(lamps, 0, 1) * 255).astype(np.uint8))
    bloom = bloom.filter(ImageFilter.GaussianBlur(5)).resize(
        (SIZE, SIZE), Image.Resampling.BILINEAR
    )
    return np.asarray(bloom, np.float32) / 255 * 0.45
