"""Where images come from. Each kind of source is a member of `families.SOURCES`.

    photos/, *.jpg, -            ─▶ files ─▶ paths ─────────────────────────┐
    street.mp4                   ─▶ video ─▶ every frame ───────────────────┼─▶ Runner.run
    rtsp://camera/, /dev/video0  ─▶ live ──▶ the newest frame, each time ───┘

`docs/formats/video.md` says which pixels and which time a frame has, in both languages.
"""

from mpm_deploy.run.source_options import SourceOptions
from mpm_deploy.run.sources.frame import Frame
from mpm_deploy.run.sources.opening import open_source, open_sources
from mpm_deploy.run.sources.source import Losses, Source

__all__ = ["Frame", "Losses", "Source", "SourceOptions", "open_source", "open_sources"]
