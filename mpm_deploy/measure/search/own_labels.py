"""Makes label maps for images that have none: the full-token model's, to compare merged
models with.

images ─▶ full-token artifact ─▶ FOLDER/images/   links to the images
                                 FOLDER/labels/   a PNG each
                                 FOLDER/classes.txt
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mpm_deploy.datasets.folder import Folder
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.unusable import none_usable
from mpm_deploy.run.label_maps import label_map_names, write_label_map
from mpm_deploy.run.results import Result
from mpm_deploy.run.runner import Runner
from mpm_deploy.support.files import make_folder


def label_images(
    artifact: Path,
    images: Path,
    folder: Path,
    *,
    limit: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Folder:
    """Make a data set of images and of the label maps that an artifact gives them.

    Args:
        artifact: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``, of the full-token model.
        images: A folder of images.
        folder: For the data set; what an earlier one left there is taken away.
        limit: First images of the folder; None is all.
        device: As `Runner` takes it.
        threads: As `Runner` takes it.
        progress: Told images done and images in all.

    Raises:
        InputError: No image that can be used; a folder that cannot be written.
        MpmError: The artifact cannot be run here.
    """
    for part in ("images", "labels"):
        make_folder(folder / part)
        for old in (folder / part).iterdir():
            old.unlink()
    sources = find_images(images)[:limit]
    names = label_map_names(sources)
    with Runner(artifact, device=device, threads=threads) as runner:
        classes = "\n".join(runner.manifest.model.classes) + "\n"
        (folder / "classes.txt").write_text(classes, encoding="utf-8")
        palette = runner.manifest.model.palette
        with closing(runner.run(sources)) as outcomes:
            skipped = []
            for done, (source, name) in enumerate(zip(sources, names, strict=True), start=1):
                outcome = next(outcomes)
                if isinstance(outcome, Result):
                    write_label_map(folder / "labels" / name, outcome.labels, palette)
                    _link(folder / "images" / f"{Path(name).stem}{source.suffix}", source)
                else:
                    skipped.append(outcome)
                if progress is not None:
                    progress(done, len(sources))
    if len(skipped) == len(sources):
        raise none_usable(images, skipped)
    return Folder(folder)


def _link(link: Path, source: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(source.resolve())
