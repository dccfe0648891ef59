"""What there is to read: each format's seeds, its mutator, and how Python reads it."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from random import Random
from typing import Any

from mpm_deploy.artifact import read_manifest, read_recipe, read_sample
from mpm_deploy.artifact.trust import check_signature
from mpm_deploy.errors import MpmError
from mpm_deploy.images.decode import decode, orientation_of
from mpm_deploy.images.formats.exif import read_orientation
from mpm_deploy.models.weights.readers.variant import read_variant
from mpm_deploy.recipe import load_recipe
from tools.fuzz import mutators
from tools.fuzz.make_corpus import PUBLIC_KEY, SEEDS, SIGNATURE_OF_NOTHING, pack_manifest


@dataclass(frozen=True)
class Format:
    """One kind of input.

    Args:
        name: Its name, which its seeds have too.
        mutate: Makes another input of one.
        read: Reads a file's bytes; what it returns is what differing readers must agree on.
        driver: What the C++ driver calls such a file; None where only Python reads it.
        pack: Makes the file of an input.
    """

    name: str
    mutate: Callable[[Random, bytes], bytes]
    read: Callable[[bytes], Any]
    driver: str | None = None
    pack: Callable[[bytes], bytes] = bytes

    @cached_property
    def seeds(self) -> list[bytes]:
        """The inputs that fuzzing begins with."""
        return list(SEEDS[self.name]())

    def input(self, seed: int, index: int) -> bytes:
        """Return the input of that number, always the same one."""
        random = Random(f"{self.name} {seed} {index}")
        return self.mutate(random, random.choice(self.seeds))


class MemoryFile:
    """A file in memory, for readers that want a path."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("fuzz")

    def holding(self, data: bytes) -> Path:
        """Put these bytes in place of what the file held, and return its path."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)
        return Path(f"/proc/self/fd/{self._descriptor}")


@cache
def _file(process: int) -> MemoryFile:
    return MemoryFile()


def _path_of(data: bytes) -> Path:
    return _file(os.getpid()).holding(data)  # a process that forked shares no file with its child


def _read_image(data: bytes) -> dict[str, Any]:
    image = decode(data)
    orientation_of(data)
    pixels = image.permute(1, 2, 0).numpy()
    height, width, _ = pixels.shape
    return {"height": height, "width": width, "pixels": hashlib.sha256(pixels).hexdigest()}


def _read_artifact(data: bytes) -> dict[str, Any]:
    path = _path_of(data)
    with suppress(MpmError):
        read_recipe(path)  # of more files than a manifest is
    manifest = read_manifest(path)
    with suppress(MpmError):
        read_sample(path, manifest)  # C++ does not with a manifest
    fields = manifest.to_dict()
    fields["requires"]["details"] = dict.fromkeys(fields["requires"]["details"])  # C++ keeps names
    return fields


def _read_trust(data: bytes) -> dict[str, Any]:
    return {
        "as a signature": _ask_trust(PUBLIC_KEY, data),
        "as a key": _ask_trust(data, SIGNATURE_OF_NOTHING),
    }


def _ask_trust(key: bytes, record: bytes) -> str:
    """Say whether the key of a file has signed nothing at all: "holds", or the error's name."""
    try:
        check_signature("fuzz.pt", b"", record, _path_of(key))
    except MpmError as error:
        return type(error).__name__
    return "holds"


FORMATS = {
    format.name: format
    for format in (
        Format("jpeg", mutators.mutate_jpeg, _read_image, "image"),
        Format("png", mutators.mutate_png, _read_image, "image"),
        Format("exif", mutators.mutate_bytes, read_orientation),
        Format("manifest", mutators.mutate_json, _read_artifact, "artifact", pack_manifest),
        Format("archive", mutators.mutate_archive, _read_artifact, "artifact"),
        Format("trust", mutators.mutate_text, _read_trust, "trust"),
        Format("recipe", mutators.mutate_text, lambda data: load_recipe(_path_of(data))),
        Format("variant", mutators.mutate_text, lambda data: read_variant(_path_of(data))),
    )
}
