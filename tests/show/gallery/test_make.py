import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.backends import OpenArtifact
from mpm_deploy.builder.build import build
from mpm_deploy.cli import main
from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import find_images
from mpm_deploy.run import runner as runner_module
from mpm_deploy.run.results import Result, StageTimes, WindowResult
from mpm_deploy.run.runner import Runner
from mpm_deploy.show.gallery import Gallery, make_gallery
from mpm_deploy.show.gallery.rows import Rows, SegmentedImage
from mpm_deploy.support.schema import read_structure
from tests.conftest import CLASSES, INPUT_SIZE, small_recipe
from tests.datasets.made_up import Labels, write_label_file
from tests.run.test_runner_windows import SLIDING
from tests.support.toy import MANIFEST, PATCHES, ToyProgram

MERGES_OF_FIRST = "image_0.merges.png"


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


def test_shared_superpatches_are_in_the_pictures(image_folder: Path, tmp_path: Path) -> None:
    sharing = ("merge.method=cts", "merge.blocks=[0]", "merge.shared=3")
    artifact = build(small_recipe().override(*sharing), tmp_path / "cts.pt")
    gallery = make_gallery(artifact, find_images(image_folder), tmp_path / "new")
    captions = [picture.caption for image in gallery.images for picture in image.pictures]
    assert any("merged before block 0: 15 of 24 tokens kept" in caption for caption in captions)
    pairs = 3 * 6 * len(gallery.images)  # of four patches, of which two lie aslant
    assert sum(gallery.distances[0]) == pairs == gallery.distances[0][1]


def test_tokens_of_an_image_in_windows_are_told_of_all_its_patches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = OpenArtifact(SLIDING, ToyProgram())
    monkeypatch.setattr(runner_module, "open_artifact", lambda *_: toy)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (200, 64), (5, 0, 0)).save(tmp_path / "images" / "wide.png")  # 6 tokens kept
    (image,) = make_gallery("toy.pt", find_images(tmp_path / "images"), tmp_path / "new").images
    with Runner("toy.pt") as runner:
        (result,) = runner.run(tmp_path / "images")
    assert result.ok and len(result.windows) > 1
    assert (image.patches, image.tokens_kept) == (PATCHES * len(result.windows), result.tokens_kept)
    assert image.tokens_kept == (image.patches,)


def test_a_merge_picture_lies_as_the_model_pads() -> None:
    """26 × 47 pixels are 32 × 48 once they are padded: 3 above and below, 1 at the right."""
    size = replace(MANIFEST.input, height=26, width=47)
    rows = Rows(replace(MANIFEST, input=size), ("a", "b"))
    window = WindowResult(0, 0, (2,), np.array([[0, 0, 0, 1, 1, 1]], np.int32))  # the two rows
    times = StageTimes(0, 0, 0, 0, 0)
    result = Result("a", {}, (window,), times, times, 1)
    (panel,) = rows.merges(SegmentedImage("a", np.zeros((26, 47, 3), np.uint8), result))
    lines = (panel.picture == 255).all(axis=(1, 2))
    assert np.flatnonzero(lines).tolist() == [13]


def test_a_full_token_model_alone_has_only_labels(
    full_token_artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    gallery = make_gallery(full_token_artifact, find_images(image_folder)[:1], tmp_path)
    (image,) = gallery.images
    assert [picture.file for picture in image.pictures] == ["image_0.labels.png"]
    assert (image.labels_equal, gallery.distances) == (None, ())


def test_pictures_never_lie_among_the_images(artifact: Path, image_folder: Path) -> None:
    with pytest.raises(InputError, match="not one of the input folders"):
        make_gallery(artifact, find_images(image_folder), image_folder)
    with pytest.raises(InputError, match="expected a folder for results, got an image's name"):
        make_gallery(artifact, find_images(image_folder), image_folder.parent / "new.png")


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


@pytest.fixture
def true_labels(image_folder: Path, tmp_path: Path) -> dict[str, Labels]:
    """Random ones for every image, some of which does not count, as files in ``labels``."""
    generator, written = np.random.default_rng(3), {}
    for path in find_images(image_folder):
        with Image.open(path) as image:
            width, height = image.size
        truth = generator.integers(0, CLASSES, (height, width))
        truth[: height // 4] = 255
        write_label_file(tmp_path / "labels" / f"{path.stem}.png", truth)
        written[path.stem] = truth
    return written


def test_the_loss_counts_what_only_the_other_artifact_has_right(
    artifact: Path,
    full_token_artifact: Path,
    image_folder: Path,
    true_labels: dict[str, Labels],
    tmp_path: Path,
) -> None:
    images = find_images(image_folder)
    gallery = make_gallery(
        artifact, images, tmp_path / "out", against=full_token_artifact, labels=tmp_path / "labels"
    )
    with Runner(artifact) as runner, Runner(full_token_artifact) as full:
        both = [(runner(path).labels, full(path).labels) for path in images]
    totals = np.zeros(3, int)
    for path, image, (ours, theirs) in zip(images, gallery.images, both, strict=True):
        truth = true_labels[path.stem]
        expected = [
            (truth != 255).sum(),
            ((theirs == truth) & (ours != truth)).sum(),
            ((ours == truth) & (theirs != truth)).sum(),
        ]
        zones = [(zone.pixels, zone.lost, zone.won) for zone in image.loss]
        assert np.sum(zones, axis=0).tolist() == expected
        totals += expected
        assert image.pictures[-1].file == f"{path.stem}.loss.png"
        assert "small objects" in image.pictures[-1].caption
    summed = [(zone.pixels, zone.lost, zone.won) for zone in gallery.loss]
    assert np.sum(summed, axis=0).tolist() == totals.tolist()
    assert totals[1] > 0
    written = json.loads((tmp_path / "out" / "pictures.json").read_text())
    assert read_structure(Gallery, written) == gallery


def test_labels_need_another_artifact(artifact: Path, image_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected two") as caught:
        make_gallery(artifact, find_images(image_folder), tmp_path / "out", labels=tmp_path)
    assert caught.value.hint == "name the full-token one with --against"
    assert not (tmp_path / "out").exists()


def test_a_pair_is_drawn_as_two_columns(artifact: Path, image_folder: Path, tmp_path: Path) -> None:
    images = find_images(image_folder)[:3:2]
    gallery = make_gallery(artifact, images, tmp_path, pair=True)
    first, second = gallery.images
    assert [picture.file for picture in first.pictures] == ["image_0.labels.png", MERGES_OF_FIRST]
    picture = second.pictures[-1]
    assert picture.file == "image_2.pair.png"
    kept = [f"{kept} of {gallery.patches} tokens kept" for kept in first.tokens_kept]
    assert all(words in picture.caption for words in ["image_0, image_2", *kept])
    with Image.open(tmp_path / picture.file) as pair, Image.open(tmp_path / MERGES_OF_FIRST) as row:
        assert pair.height > len(first.tokens_kept) * (row.height - 10)
        assert pair.width == 3 * 10 + 2 * 512


def test_what_is_no_pair_is_refused(
    artifact: Path, full_token_artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    images = find_images(image_folder)
    with pytest.raises(InputError, match="expected 2 images, got 5"):
        make_gallery(artifact, images, tmp_path / "out", pair=True)
    with pytest.raises(InputError, match="this merges nothing"):
        make_gallery(full_token_artifact, images[:2], tmp_path / "out", pair=True)


def test_the_command_says_where_accuracy_is_lost(
    artifact: Path,
    full_token_artifact: Path,
    image_folder: Path,
    true_labels: dict[str, Labels],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--against", str(full_token_artifact), "--labels", str(tmp_path / "labels")]
    images, out = [str(image_folder / f"image_{i}.jpg") for i in (0, 2)], tmp_path / "out"
    assert main(["visualize", str(artifact), *images, *options, "--pair", "-o", str(out)]) == 0
    said = capsys.readouterr()
    kinds = ("labels", "merges", "difference", "loss")
    expected = [f"image_{i}.{kind}.png" for i in (0, 2) for kind in kinds]
    assert {Path(line).name for line in said.out.split()} == {*expected, "image_2.pair.png"}
    assert "of the lost ones: small objects" in said.err
