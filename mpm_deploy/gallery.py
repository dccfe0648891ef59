"""The gallery: pictures of what an artifact makes of images, and the figures beside them.

image ─▶ Runner ─┬─▶ NAME.labels.png       the image, its label map over it
                 ├─▶ NAME.merges.png       the patches that share a token, after each merge
                 └─▶ NAME.difference.png   where another artifact sees other classes
all of them ───────▶ pictures.json         tokens kept, distances; `mpm-deploy report` reads it
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.artifact import Manifest
from mpm_deploy.errors import InputError
from mpm_deploy.files import written_atomically
from mpm_deploy.images import decode
from mpm_deploy.label_maps import label_map_names
from mpm_deploy.measure.report import ArtifactInfo, SkippedImage
from mpm_deploy.results import Result, Skipped
from mpm_deploy.runner import Runner
from mpm_deploy.structure import to_mapping
from mpm_deploy.visualize import (
    Panel,
    difference,
    merge_distances,
    merge_picture,
    overlay,
    panels,
    share_equal,
)

SCHEMA = "mpm-pictures/1"
INDEX = "pictures.json"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A file of the gallery's folder, and what it shows."""

    file: str
    caption: str


@dataclass(frozen=True)
class Pictured:
    """One image; ``labels_equal`` is the share of its labels that the other artifact gives too."""

    image: str
    tokens_kept: tuple[int, ...]
    labels_equal: float | None
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Gallery:
    """What `pictures.json` holds (`docs/pictures.md`).

    Attributes:
        patches: Of an input: the tokens before any merge.
        distances: For each merge, how many pairs of merged tokens lay 0 to 1, 1 to 2, ... patches
            apart, over all images.
    """

    schema: str
    artifact: ArtifactInfo
    against: ArtifactInfo | None
    patches: int
    images: tuple[Pictured, ...]
    distances: tuple[tuple[int, ...], ...]
    skipped: tuple[SkippedImage, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping


def make_gallery(
    artifact: str | Path,
    images: Sequence[Path],
    folder: Path,
    *,
    against: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Gallery:
    """Draw what an artifact makes of images, and write the pictures and their index.

    Args:
        artifact: A ``.pt`` or ``.pt2``.
        images: JPEG or PNG files.
        folder: For the pictures; made where it is not there.
        against: Another artifact of the same classes, as the full-token model.
        device: As `Runner` takes it.
        threads: As `Runner` takes it.
        progress: Told images done and images in all.

    Raises:
        InputError: The folder holds the images themselves or cannot be written; the artifacts have
            different classes.
        ArtifactError: Missing, damaged, foreign or newer.
        HostError: An artifact does not fit this machine.
    """
    names = [Path(name).stem for name in label_map_names(images)]
    _make_folder(folder, images)
    with ExitStack() as stack:
        runner = stack.enter_context(Runner(artifact, device=device, threads=threads))
        other = (
            stack.enter_context(Runner(against, device=device, threads=threads))
            if against is not None
            else None
        )
        if other is not None:
            _check_same_classes(runner, other)
        painter = _Painter(runner.manifest, folder, (Path(artifact).name, Path(against or "").name))
        for done, outcome in enumerate(_outcomes(runner, other, images), start=1):
            painter.paint(names[done - 1], images[done - 1], *outcome)
            if progress is not None:
                progress(done, len(images))
        gallery = painter.gallery(_info(runner), _info(other) if other else None)
    with written_atomically(folder / INDEX) as temporary:
        temporary.write_text(json.dumps(gallery.to_dict(), indent=2) + "\n")
    return gallery


class _Painter:
    """Draws image after image, and remembers the figures."""

    def __init__(self, manifest: Manifest, folder: Path, names: tuple[str, str]) -> None:
        self._manifest = manifest
        self._names = names  # of the artifact and the other one
        self._folder = folder
        patch = manifest.model.patch_size
        self._grid = (manifest.input.height // patch, manifest.input.width // patch)
        self._pictured: list[Pictured] = []
        self._skipped: list[SkippedImage] = []
        self._distances: list[list[NDArray[np.float64]]] = []  # an image, a merge, (pairs,)

    def paint(
        self, name: str, path: Path, outcome: Result | Skipped, other: Result | Skipped | None
    ) -> None:
        if isinstance(outcome, Skipped):
            self._skipped.append(SkippedImage(outcome.path, outcome.reason))
            return
        pixels = decode(path).permute(1, 2, 0).numpy()  # (height, width, 3)
        rows = {"labels": self._labels(pixels, outcome)}
        if self._has_maps(outcome):
            rows["merges"] = self._merges(pixels, outcome)
            self._distances.append(merge_distances(outcome.merge_maps, self._grid))
        equal = None
        if isinstance(other, Result):
            equal = share_equal(outcome.labels, other.labels)
            rows["difference"] = self._difference(pixels, outcome, other, equal)
        pictures = tuple(self._save(f"{name}.{kind}.png", row) for kind, row in rows.items())
        self._pictured.append(Pictured(str(path), outcome.tokens_kept, equal, pictures))

    def gallery(self, artifact: ArtifactInfo, against: ArtifactInfo | None) -> Gallery:
        """What was drawn so far."""
        each_merge = zip(*self._distances, strict=True)
        return Gallery(
            schema=SCHEMA,
            artifact=artifact,
            against=against,
            patches=self._manifest.patches,
            images=tuple(self._pictured),
            distances=tuple(_histogram(np.concatenate(merge)) for merge in each_merge),
            skipped=tuple(self._skipped),
        )

    def _has_maps(self, result: Result) -> bool:
        """Of the whole image: what was cut into windows has one map a window, which overlap."""
        maps = result.merge_maps
        return maps.ndim == 2 and len(maps) > 0 and maps.shape[1] == self._manifest.patches

    def _labels(self, pixels: Pixels, result: Result) -> list[Panel]:
        over = overlay(pixels, result.labels, self._manifest.model.palette)
        return [Panel(pixels, "image"), Panel(over, "labels")]

    def _merges(self, pixels: Pixels, result: Result) -> list[Panel]:
        before = self._manifest.merge.before_blocks
        each = zip(before, result.merge_maps, result.tokens_kept, strict=True)
        return [
            Panel(
                merge_picture(pixels, merge_map, self._grid),
                f"merged before block {block}: {kept} of {self._manifest.patches} tokens kept",
            )
            for block, merge_map, kept in each
        ]

    def _difference(
        self, pixels: Pixels, result: Result, other: Result, equal: float
    ) -> list[Panel]:
        palette = self._manifest.model.palette
        return [
            Panel(overlay(pixels, result.labels, palette), self._names[0]),
            Panel(overlay(pixels, other.labels, palette), self._names[1]),
            Panel(
                difference(pixels, result.labels, other.labels),
                f"{1 - equal:.2%} of the labels differ",
            ),
        ]

    def _save(self, file: str, row: list[Panel]) -> Picture:
        with written_atomically(self._folder / file) as temporary:
            panels(row).save(temporary)
        return Picture(file, ", ".join(panel.caption for panel in row))


def _outcomes(
    runner: Runner, other: Runner | None, images: Sequence[Path]
) -> Iterator[tuple[Result | Skipped, Result | Skipped | None]]:
    with closing(runner.run(images)) as outcomes:
        if other is None:
            yield from ((outcome, None) for outcome in outcomes)
            return
        with closing(other.run(images)) as others:
            yield from zip(outcomes, others, strict=True)


def _histogram(distances: NDArray[np.float64]) -> tuple[int, ...]:
    """Pairs by the whole patches of their distance."""
    return tuple(np.bincount(distances.astype(int)).tolist())


def _info(runner: Runner) -> ArtifactInfo:
    return ArtifactInfo.of(str(runner.artifact), runner.manifest, str(runner.device))


def _check_same_classes(runner: Runner, other: Runner) -> None:
    ours, theirs = runner.manifest.model.classes, other.manifest.model.classes
    if ours != theirs:
        raise InputError(
            f"{other.artifact}: expected the {len(ours)} classes of {runner.artifact}, "
            f"got {len(theirs)} others",
            "compare artifacts of the same weights, as one built with --full-token",
        )


def _make_folder(folder: Path, images: Sequence[Path]) -> None:
    if folder.resolve() in {image.resolve().parent for image in images}:
        raise InputError(
            f"{folder}: the pictures would lie among the images themselves",
            "name another folder for the pictures",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made a folder: {error.strerror}") from error
