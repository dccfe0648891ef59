import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.build import build
from mpm_deploy.cli import main
from mpm_deploy.errors import InputError
from mpm_deploy.gallery import Gallery, make_gallery
from mpm_deploy.images import find_images
from mpm_deploy.runner import Runner
from mpm_deploy.structure import read_structure
from tests.conftest import INPUT_SIZE, small_recipe


def test_the_gallery_says_what_the_runner_says(
    artifact: Path, full_token_artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    images = find_images(image_folder)
    gallery = make_gallery(artifact, images, tmp_path / "new", against=full_token_artifact)
    with Runner(artifact) as runner, Runner(full_token_artifact) as full:
        ours, theirs = list(runner.run(images)), list(full.run(images))
    assert [image.tokens_kept for image in gallery.images] == [r.tokens_kept for r in ours]
    equal = [float((a.labels == b.labels).mean()) for a, b in zip(ours, theirs, strict=True)]
    assert [image.labels_equal for image in gallery.images] == equal
    assert gallery.patches == INPUT_SIZE[0] * INPUT_SIZE[1] // 16**2
    pairs = [gallery.patches - result.tokens_kept[0] for result in ours]
    assert sum(gallery.distances[0]) == sum(pairs)  # a pair of patches leaves one token
    written = json.loads((tmp_path / "new" / "pictures.json").read_text())
    assert read_structure(Gallery, written) == gallery
    files = [picture.file for image in gallery.images for picture in image.pictures]
    assert len(files) == 3 * len(images)
    for file in files:
        with Image.open(tmp_path / "new" / file) as picture:
            assert np.asarray(picture).std() > 10  # not blank


def test_a_full_token_model_alone_has_only_labels(
    full_token_artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    gallery = make_gallery(full_token_artifact, find_images(image_folder)[:1], tmp_path)
    (image,) = gallery.images
    assert [picture.file for picture in image.pictures] == ["image_0.labels.png"]
    assert (image.labels_equal, gallery.distances) == (None, ())


def test_pictures_never_lie_among_the_images(artifact: Path, image_folder: Path) -> None:
    with pytest.raises(InputError, match="among the images"):
        make_gallery(artifact, find_images(image_folder), image_folder)


def test_other_classes_are_refused(artifact: Path, image_folder: Path, tmp_path: Path) -> None:
    other = build(small_recipe().override("model.classes=3"), tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"expected the 7 classes of .*, got 3"):
        make_gallery(artifact, find_images(image_folder), tmp_path / "out", against=other)


def test_the_command_names_each_picture_and_skips_what_is_broken(
    artifact: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    out = tmp_path / "out"
    image = str(image_folder / "image_0.jpg")
    assert main(["visualize", str(artifact), image, str(broken), "-o", str(out)]) == 3
    said = capsys.readouterr()
    assert said.out.split() == [str(out / f"image_0.{kind}.png") for kind in ("labels", "merges")]
    assert all(Path(line).is_file() for line in said.out.split())
    assert f"skipped {broken}" in said.err
    assert "weights are random" in said.err
