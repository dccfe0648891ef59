"""Overlay videos: the bytes that are drawn, and which encoder takes them.

`overlays.json` has the SHA-256 of what is drawn, at several sizes; C++ draws the same.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mpm_deploy.errors import InputError
from mpm_deploy.show.drawing import overlay_video
from mpm_deploy.show.drawing.labels import overlay
from mpm_deploy.show.drawing.overlay_video import OverlayVideo, resized

OVERLAYS = json.loads((Path(__file__).parent / "overlays.json").read_text())
PALETTE = [(50 * k, 255 - 40 * k, 17 * k) for k in range(5)]


def made(height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A frame ``(height, width, 3)`` with its label map."""
    row, column, channel = np.mgrid[:height, :width, :3]
    frame = (7 * row + 13 * column + 29 * channel + row * column) % 256
    labels = (row[..., 0] // 4 + column[..., 0] // 3) % len(PALETTE)
    return frame.astype(np.uint8), labels


@pytest.mark.parametrize("case", OVERLAYS, ids=lambda case: f"{case['frame']}-{case['video']}")
def test_the_bytes_that_are_drawn(case: dict[str, list[int]]) -> None:
    drawn = resized(overlay(*made(*case["frame"]), PALETTE), (case["video"][0], case["video"][1]))
    assert drawn.shape == (*case["video"], 3)
    assert hashlib.sha256(drawn.tobytes()).hexdigest() == case["sha256"]


@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
def test_a_video_is_of_the_first_encoder_that_there_is(
    codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    if codec == "mpeg4":
        monkeypatch.delitem(overlay_video._ENCODERS, "libx264")
    video = OverlayVideo(tmp_path / "a.mp4", PALETTE)
    for number in range(3):
        video.write(*made(30, 40), number / 25)
    video.close()
    expected = overlay(*made(30, 40), PALETTE).astype(int)
    with av.open(str(tmp_path / "a.mp4")) as played:
        assert played.streams.video[0].codec_context.name == codec
        frames = [frame.to_ndarray(format="rgb24") for frame in played.decode(video=0)]
    assert len(frames) == 3
    for frame in frames:
        assert abs(frame.mean() - expected.mean()) < 3


def test_without_an_encoder_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    monkeypatch.setattr(overlay_video, "_ENCODERS", {})
    with pytest.raises(InputError, match=r"a\.mp4: this FFmpeg encodes neither H\.264 nor MPEG-4"):
        OverlayVideo(tmp_path / "a.mp4", PALETTE).write(*made(30, 40), 0)
