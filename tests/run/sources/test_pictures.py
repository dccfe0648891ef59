"""A decoded picture's pixels: those that both languages give, and the right ones."""

import json
import struct
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from mpm_deploy.images.formats.orientation import turn_upright
from mpm_deploy.images.formats.raster import Raster
from mpm_deploy.run.sources import pictures
from mpm_deploy.run.sources.pictures import orientation_of, rgb_of
from tests.run.sources.clips_made import CLIPS, FRAMES, hashes

EXPECTED = json.loads(FRAMES.read_text())

# Kr and Kb of each matrix, by its number in H.273.
MATRICES = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}


@pytest.mark.parametrize("name", EXPECTED)
def test_frames_are_those_that_both_languages_give(name: str) -> None:
    assert hashes(CLIPS / name) == EXPECTED[name]


def test_every_clip_has_its_frames_written_down() -> None:
    assert {path.name for path in CLIPS.iterdir()} == {*EXPECTED, FRAMES.name}


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("color", [(128, 128, 128), (220, 40, 60), (20, 60, 200), (10, 200, 30)])
def test_colors_are_those_of_the_matrix_and_the_range(
    matrix: int, full: bool, color: tuple[int, int, int]
) -> None:
    """Within what 8 bits of Y, U and V lose: a level of theirs is up to two of a color's."""
    red, green, blue = (value / 255 for value in color)
    kr, kb = MATRICES[matrix]
    light = kr * red + (1 - kr - kb) * green + kb * blue
    signals = (light, (blue - light) / (2 - 2 * kb), (red - light) / (2 - 2 * kr))
    spans, offsets = ((255,) * 3, (0, 128, 128)) if full else ((219, 224, 224), (16, 128, 128))
    frame = av.VideoFrame(16, 8, "yuv420p")
    for plane, signal, span, offset in zip(frame.planes, signals, spans, offsets, strict=True):
        plane.update(bytes([round(offset + span * signal)]) * plane.buffer_size)
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    pixels = rgb_of(frame)
    assert pixels.shape == (8, 16, 3)
    assert np.abs(pixels.astype(int) - color).max() <= 2


def test_a_display_matrix_turns_as_the_exif_orientation_of_its_signs() -> None:
    """A matrix says where each point goes: x' = a x + c y, y' = b x + d y, up to a shift."""
    square = np.arange(6, dtype=np.uint8).reshape(2, 3)
    for (a, b, c, d), orientation in pictures._ORIENTATIONS.items():
        down, across = np.mgrid[:2, :3]
        x, y = a * across + c * down, b * across + d * down
        shape = (3, 2) if a == 0 else (2, 3)
        moved = np.zeros(shape, np.uint8)
        moved[y - y.min(), x - x.min()] = square
        raster = Raster(np.repeat(square[..., None], 3, axis=2), orientation)
        assert np.array_equal(turn_upright(raster)[..., 0], moved), orientation


def test_a_phones_clip_is_upright() -> None:
    with av.open(str(CLIPS / "turned.mp4")) as clip:
        frame = next(clip.decode(video=0))
    assert (frame.height, frame.width) == (48, 64)
    assert orientation_of(frame) == 6
    assert rgb_of(frame).shape == (64, 48, 3)


def test_a_turn_by_no_quarter_is_left_as_it_is() -> None:
    matrix = struct.pack("9i", 9, 5, 0, -5, 9, 0, 0, 0, 1)
    turned: Any = SimpleNamespace(side_data={av.sidedata.sidedata.Type.DISPLAYMATRIX: matrix})
    assert orientation_of(turned) == 1
