"""Open the source that a place names."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from mpm_deploy.errors import InputError
from mpm_deploy.families import SOURCES
from mpm_deploy.run.source_options import SourceOptions
from mpm_deploy.run.sources.files import Files
from mpm_deploy.run.sources.source import Source


def open_source(
    place: str | os.PathLike[str], options: SourceOptions | None = None, **changes: Any
) -> Source:
    """Open a folder, a list of files, a video or a live source, for `Runner.run`.

        source = open_source("rtsp://camera/stream", reconnect=100)
        for result in runner.run(source):
            print(result.time, source.losses.dropped)

    Args:
        place: A folder or an image; a pattern, as ``"photos/*.jpg"``; ``"-"``, a list of paths on
            stdin; a video file, told by its suffix; an address, ``rtsp://``, ``rtmp://``,
            ``http://`` or ``https://``; or a camera, ``/dev/video0``.
        options: How to read it.
        changes: Fields of `SourceOptions` by name, in place of those of ``options``.

    Raises:
        InputError: Nothing there, nothing of use in it, or an option out of range.
        MissingPackageError: It is a video, and PyAV is not installed.
    """
    text = os.fsdecode(place)
    taken = SourceOptions(**{**vars(options or SourceOptions()), **changes})
    member = next(member for member in SOURCES.values() if member.takes(text))
    source: Source = member.open(text, taken)
    return source


def open_sources(places: Sequence[str], options: SourceOptions) -> Source:
    """Open one source, or several of files as one.

    Raises:
        InputError: As `open_source`; or several, one of which is a video.
        MissingPackageError: As `open_source`.
    """
    if len(places) == 1:
        return open_source(places[0], options)
    with ExitStack() as opened:
        sources = [opened.enter_context(open_source(place, options)) for place in places]
        files = [source for source in sources if isinstance(source, Files)]
        for source in sources:
            if source not in files:
                raise InputError(
                    f"{source.name}: expected a video or a camera alone, got {len(places)} sources",
                    "run each by itself",
                )
        return Files.joined(files)
