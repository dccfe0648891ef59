"""Reads video files, frame by frame."""

from collections.abc import Iterator
from pathlib import Path

from mpm_deploy.errors import InputError
from mpm_deploy.run.source_options import SourceOptions
from mpm_deploy.run.sources.decoder import Decoder
from mpm_deploy.run.sources.frame import Frame
from mpm_deploy.run.sources.pictures import frame_of
from mpm_deploy.run.sources.source import Source

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".mjpeg", ".mjpg", ".h264", ".264", ".h265", ".hevc"),
)

# What a file names inside of it, as a playlist does, is not opened: it may be anywhere.
_OPTIONS = {"protocol_whitelist": "file"}


class Video(Source):
    """Every frame of a video file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._decoder = Decoder(f"file:{path}", path, self.losses, options=_OPTIONS)
        self.total = self._decoder.frames

    @staticmethod
    def takes(place: str) -> bool:
        """Tell by its suffix whether a file is a video."""
        return place.lower().endswith(SUFFIXES) and not Path(place).is_dir()

    @classmethod
    def open(cls, place: str, options: SourceOptions) -> "Video":
        """Open a video file.

        Raises:
            InputError: Not there, or no video.
            MissingPackageError: PyAV is not installed.
        """
        if not Path(place).exists():
            raise InputError(f"{place}: no such file", "name a video, an image or a folder")
        return cls(place)

    def __iter__(self) -> Iterator[Frame]:
        self._begin()
        for index, (time, picture) in enumerate(self._decoder, start=1):
            yield frame_of(self.name, index, time, picture)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._decoder.close()
