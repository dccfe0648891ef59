"""Reads image files: of a folder, of a pattern, or of a list on stdin."""

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import find_images
from mpm_deploy.run.source_options import SourceOptions
from mpm_deploy.run.sources.source import Source

_STDIN = "-"


class Files(Source):
    """Image files.

    Args:
        name: What they are, in words.
        paths: The files.
        folders: Where each lies below the folder that was named: its label map goes there too.
    """

    def __init__(self, name: str, paths: Sequence[Path], folders: Sequence[Path]) -> None:
        super().__init__(name, total=len(paths), has_frames=False)
        self.paths = tuple(paths)
        self.folders = tuple(folders)

    @staticmethod
    def takes(place: str) -> bool:
        """Take whatever no other source has taken."""
        return True

    @classmethod
    def open(cls, place: str, options: SourceOptions) -> "Files":
        """Find the files.

        Raises:
            InputError: There are none.
        """
        if place == _STDIN:
            paths = _listed_on_stdin()
        elif glob.has_magic(place) and not os.path.lexists(place):
            paths = _matching(place)
        else:
            paths = find_images(place, options.recursive)
        root = Path(place)
        inside = options.recursive and root.is_dir()
        folders = [path.parent.relative_to(root) if inside else Path() for path in paths]
        return cls(place, paths, folders)

    @classmethod
    def joined(cls, parts: Sequence["Files"]) -> "Files":
        """Put several after one another."""
        return cls(
            " ".join(part.name for part in parts),
            [path for part in parts for path in part.paths],
            [folder for part in parts for folder in part.folders],
        )

    def __iter__(self) -> Iterator[Path]:
        return iter(self.paths)


def _matching(pattern: str) -> list[Path]:
    """Find the files of a pattern, ``**`` for any folders, each once, by the bytes of their paths.

    `cpp_runner/program/patterns.cpp` reads patterns alike.
    """
    found = set(map(Path, glob.iglob(pattern, recursive=True)))  # noqa: PTH207 - an absolute one too
    paths = sorted((path for path in found if not path.is_dir()), key=bytes)
    if not paths:
        raise InputError(f"{pattern}: no file matches this pattern", "try it with `ls`")
    return paths


def _listed_on_stdin() -> list[Path]:
    """Read paths from stdin, a line each, or each with a NUL after it, as ``find -print0``."""
    listed = sys.stdin.buffer.read()
    names = [name for name in listed.split(b"\0" if b"\0" in listed else b"\n") if name]
    if not names:
        raise InputError("stdin: expected a list of paths, a line each, got none", "ls *.jpg | ...")
    return [Path(os.fsdecode(name)) for name in names]
