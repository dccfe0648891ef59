"""What a batch of Ray Data becomes, and what goes wrong; no cluster is needed for that."""

import io
import platform
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy import Runner
from mpm_deploy.errors import ArtifactError, InputError
from mpm_deploy.images.decode import decode, find_images
from tests.test_architecture import run_python

pytest.importorskip("ray", reason="pip install 'mpm-deploy[ray]'")

from mpm_deploy.serve.ray import BatchRunner

ANSWERS = ["label_map", "class_shares", "tokens_kept", "error"]


def labels_of(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.array(picture)


def test_a_batch_gets_what_the_runner_gives(artifact: Path, image_folder: Path) -> None:
    files = find_images(image_folder)
    batch = {
        "bytes": np.array([file.read_bytes() for file in files], object),
        "path": np.array([file.name for file in files]),
    }
    table = BatchRunner(artifact, batch_size=2)(batch)
    assert table["path"].to_pylist() == [file.name for file in files]
    with Runner(artifact) as runner:
        for file, row in zip(files, table.to_pylist(), strict=True):
            result = runner(file)
            np.testing.assert_array_equal(labels_of(row["label_map"]), result.labels)
            assert row["tokens_kept"] == [*result.tokens_kept]
            classes = runner.manifest.model.classes
            shares = [float((result.labels == index).mean()) for index in range(len(classes))]
            assert row["class_shares"] == pytest.approx(dict(zip(classes, shares, strict=True)))
            assert row["error"] is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray's own settings
def test_arrays_are_images_too(artifact: Path, image_folder: Path) -> None:
    file = find_images(image_folder)[0]
    pixels = decode(file).permute(1, 2, 0).numpy()  # (height, width, 3)
    batch = {"image": np.stack([pixels, pixels]), "crop": np.stack([pixels, pixels])[:, :8, :8]}
    table = BatchRunner(artifact, "image")(batch)
    assert table.column_names == ["crop", *ANSWERS]
    with Runner(artifact) as runner:
        expected = runner(file).labels
    for content in table["label_map"].to_pylist():
        np.testing.assert_array_equal(labels_of(content), expected)


def test_a_broken_image_is_a_row_with_an_error(artifact: Path, image_folder: Path) -> None:
    whole = find_images(image_folder)[0].read_bytes()
    runner = BatchRunner(artifact)
    table = runner({"bytes": np.array([b"no image", whole, whole[:100], b""], object)})
    broken, good, cut, empty = table.to_pylist()
    assert broken == {
        "label_map": None,
        "class_shares": None,
        "tokens_kept": None,
        "error": "not a JPEG or PNG file",
    }
    assert good["error"] is None
    assert cut["error"]
    assert empty["error"] == "the file is empty"
    # Batches without errors and batches of errors alone can be put together.
    only_broken = runner({"bytes": np.array([b"no image"], object)})
    assert only_broken.schema == table.schema == runner.schema


def test_a_batch_without_images_says_what_it_has(artifact: Path) -> None:
    with pytest.raises(InputError, match="column 'bytes', got image, path"):
        BatchRunner(artifact)({"image": np.zeros(1), "path": np.array(["a.jpg"])})


def test_an_artifact_that_is_not_there_names_the_node(tmp_path: Path) -> None:
    with pytest.raises(
        ArtifactError, match=f"^node {platform.node()}: .*none.pt2: cannot be opened"
    ):
        BatchRunner(tmp_path / "none.pt2")


def test_without_ray_one_sentence_names_the_cure() -> None:
    code = (
        "from mpm_deploy.errors import MissingPackageError\n"
        "from mpm_deploy.serve.ray import BatchRunner\n"
        "try: BatchRunner('none.pt2')\n"
        "except MissingPackageError as error: print(error.hint)"
    )
    assert run_python(code, ["ray"]) == "pip install 'mpm-deploy[ray]'"
