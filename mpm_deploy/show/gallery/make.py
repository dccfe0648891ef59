"""Draws a folder of pictures from an artifact and images."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import check_names_a_folder
from mpm_deploy.measure.speed.report import ArtifactInfo
from mpm_deploy.run.label_maps import label_map_names
from mpm_deploy.run.results import Result, Skipped
from mpm_deploy.run.runner import Runner
from mpm_deploy.show.gallery.index import INDEX, Gallery
from mpm_deploy.show.gallery.painter import Painter
from mpm_deploy.show.gallery.truth import TrueLabels
from mpm_deploy.support.files import check_output_folder, make_folder, written_atomically


def make_gallery(
    artifact: str | Path,
    images: Sequence[Path],
    folder: Path,
    *,
    against: str | Path | None = None,
    labels: Path | None = None,
    pair: bool = False,
    device: str | None = None,
    threads: int | None = None,
    trust: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Gallery:
    """Draw what an artifact makes of images, and write the pictures and their index.

    Args:
        artifact: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``.
        images: JPEG or PNG files.
        folder: For the pictures; made where it is not there.
        against: Another artifact of the same classes, as the full-token model.
        labels: A folder of true label maps, ``NAME.png`` each, to draw where the artifact is wrong
            and the other one right.
        pair: Draw the images, which are two, beside each other.
        device: As `Runner` takes it.
        threads: As `Runner` takes it.
        trust: As `Runner` takes it.
        progress: Told images done and images in all.

    Raises:
        InputError: The folder holds the images themselves or cannot be written; the artifacts have
            different classes; ``labels`` without ``against``; a pair that is none.
        DatasetError: A label map is missing, or does not fit its image.
        ArtifactError: Missing, damaged, foreign or newer.
        HostError: An artifact does not fit this machine.
    """
    names = [Path(name).stem for name in label_map_names(images)]
    _check_options(images, against, labels, pair)
    check_names_a_folder(folder)
    check_output_folder(
        folder, [*(image.parent for image in images), *([labels] if labels else [])]
    )
    make_folder(folder)
    start = partial(Runner, device=device, threads=threads, trust=trust)
    with ExitStack() as stack:
        runner = stack.enter_context(start(artifact))
        other = stack.enter_context(start(against)) if against is not None else None
        if other is not None:
            _check_same_classes(runner, other)
        palette = runner.manifest.model.palette
        truth = TrueLabels(labels, images, palette) if labels is not None else None
        if pair:
            _check_merges(runner)
        artifacts = (Path(artifact).name, Path(against or "").name)
        painter = Painter(runner.manifest, folder, artifacts, truth, pair)
        for done, outcome in enumerate(_outcomes(runner, other, images), start=1):
            painter.paint(names[done - 1], images[done - 1], *outcome)
            if progress is not None:
                progress(done, len(images))
        gallery = painter.gallery(_info(runner), _info(other) if other else None)
    with written_atomically(folder / INDEX) as temporary:
        temporary.write_text(json.dumps(gallery.to_dict(), indent=2) + "\n")
    return gallery


def _outcomes(
    runner: Runner, other: Runner | None, images: Sequence[Path]
) -> Iterator[tuple[Result | Skipped, Result | Skipped | None]]:
    with closing(runner.run(images)) as outcomes:
        if other is None:
            yield from ((outcome, None) for outcome in outcomes)
            return
        with closing(other.run(images)) as others:
            yield from zip(outcomes, others, strict=True)


def _info(runner: Runner) -> ArtifactInfo:
    return ArtifactInfo.of(str(runner.artifact), runner.manifest, str(runner.device))


def _check_options(
    images: Sequence[Path], against: str | Path | None, labels: Path | None, pair: bool
) -> None:
    if labels is not None and against is None:
        raise InputError(
            f"{labels}: labels tell where one artifact is right and another wrong: expected two",
            "name the full-token one with --against",
        )
    if pair and len(images) != 2:
        raise InputError(
            f"a pair: expected 2 images, got {len(images)}",
            "name two, as one scene by day and by night",
        )


def _check_merges(runner: Runner) -> None:
    if not runner.manifest.merge.blocks:
        raise InputError(
            f"{runner.artifact}: a pair shows what merges in each image, and this merges nothing",
            "name an artifact that was built without --full-token",
        )


def _check_same_classes(runner: Runner, other: Runner) -> None:
    ours, theirs = runner.manifest.model.classes, other.manifest.model.classes
    if ours != theirs:
        raise InputError(
            f"{other.artifact}: expected the {len(ours)} classes of {runner.artifact}, "
            f"got {len(theirs)} others",
            "compare artifacts of the same weights, as one built with --full-token",
        )
