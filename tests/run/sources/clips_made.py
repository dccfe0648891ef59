"""Clips that tests write, and those in ``clips/``: ``python -m tests.run.sources.clips_made``."""

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from mpm_deploy.run.sources.pictures import rgb_of

CLIPS = Path(__file__).parent / "clips"
FRAMES = CLIPS / "frames.json"
QUARTER_TURN = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)  # as a phone's that is held upright

_AT_MATRIX = 44  # bytes from a track header's name to its matrix


def pictures(count: int, height: int = 48, width: int = 64) -> Iterator[NDArray[np.uint8]]:
    """Colors that run across and down, and a bright square that moves on, frame by frame."""
    down, across = np.mgrid[:height, :width]
    for number in range(count):
        red, green = 255 * across // width, 255 * down // height
        blue = (red + green + 40 * number) % 256
        picture = np.stack([red, green, blue], axis=2).astype(np.uint8)
        picture[8:24, 4 * number % width :][:, :16] = 255, 255 - 60 * (number % 3), 0
        yield picture


def write_clip(
    path: Path | Any,
    frames: Sequence[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    form: str | None = None,
    times: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    colors: dict[str, int] | None = None,
) -> None:
    """Encode ``(height, width, 3)`` frames, 25 a second where no times are given."""
    height, width = frames[0].shape[:2]
    with av.open(path, "w", format=form, options=container or {}) as output:
        stream = output.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in (colors or {}).items():
            setattr(stream.codec_context, name, value)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = round(1000 * (times[number] if times else number / 25))
            frame.time_base = Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def damage(path: Path, number: int) -> None:
    """Overwrite most of a packet in a file."""
    with av.open(str(path)) as clip:
        packet = [bytes(packet) for packet in clip.demux(video=0)][number]
    data = path.read_bytes()
    at = data.index(packet)
    middle = packet[:40] + bytes(range(256)) * (len(packet) // 256 + 1)
    path.write_bytes(data[:at] + middle[: len(packet)] + data[at + len(packet) :])


def turn(path: Path, matrix: tuple[int, ...]) -> None:
    """Write a display matrix into an MP4 of one track."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + _AT_MATRIX
    data[at : at + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)


def write_sound(path: Path, cover: NDArray[np.uint8] | None = None) -> None:
    """Write a tenth of a second of silence, with a cover picture ``(height, width, 3)`` if any."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=8000)
        if cover is not None:
            picture = output.add_stream("mjpeg", rate=1)
            picture.height, picture.width, picture.pix_fmt = *cover.shape[:2], "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            output.mux(picture.encode(av.VideoFrame.from_ndarray(cover)))
            output.mux(picture.encode(None))
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 8000
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def hashes(path: Path) -> list[str]:
    """SHA-256 of the RGB of each frame."""
    with av.open(str(path)) as clip:
        return [
            hashlib.sha256(rgb_of(frame).tobytes()).hexdigest() for frame in clip.decode(video=0)
        ]


def main() -> None:
    """Make the clips anew. Another encoder makes others: both are right."""
    CLIPS.mkdir(exist_ok=True)
    frames, dense = list(pictures(4)), {"crf": "12", "bf": "0"}
    limited = {"color_range": 1}
    write_clip(
        CLIPS / "limited_601.mp4", frames, options=dense, colors={**limited, "colorspace": 6}
    )
    write_clip(
        CLIPS / "limited_709.mp4", frames, options=dense, colors={**limited, "colorspace": 1}
    )
    write_clip(CLIPS / "untagged.mkv", frames, options=dense)
    odd = [picture[:37, :51] for picture in frames]
    write_clip(
        CLIPS / "full_odd.mkv", odd, codec="mjpeg", pixels="yuvj420p", options={"qscale": "3"}
    )
    write_clip(CLIPS / "ten_bits.mp4", frames, options=dense, pixels="yuv420p10le")
    write_clip(CLIPS / "turned.mp4", frames, options=dense)
    turn(CLIPS / "turned.mp4", QUARTER_TURN)
    found = {path.name: hashes(path) for path in sorted(CLIPS.glob("*.m*"))}
    FRAMES.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
