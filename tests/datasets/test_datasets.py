"""The layouts of the public data sets, and what is said where one is not as it should be."""

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.datasets import DATASETS, Dataset, Sample, open_dataset
from mpm_deploy.datasets.base import check_told_apart
from mpm_deploy.errors import DatasetError, InputError
from mpm_deploy.images.formats.png import MAGIC
from tests.datasets.made_up import CLASSES, SIZES, make, write_label_file
from tests.support.scripts import ROOT

NAMES = sorted(CLASSES)


@pytest.fixture(params=NAMES)
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    make(request.param, tmp_path / "root")
    return open_dataset(request.param, tmp_path / "root")


def test_every_data_set_is_tested() -> None:
    assert sorted(DATASETS) == NAMES
    assert all(member.name == name for name, member in DATASETS.items())


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_classes(name: str, tmp_path: Path) -> None:
    truths = make(name, tmp_path)
    dataset = open_dataset(name, tmp_path)
    assert len(dataset.classes) == len(set(dataset.classes)) == CLASSES[name]
    assert [sample.id for sample in dataset] == list(truths)
    assert len(dataset) == len(SIZES)
    for sample, size in zip(dataset, SIZES, strict=True):
        labels = dataset.labels(sample)
        assert labels.dtype == np.uint8 and labels.shape == size
        np.testing.assert_array_equal(labels, truths[sample.id])
        with Image.open(sample.image) as image:
            assert image.size[::-1] == size


def test_every_class_can_be_told(tmp_path: Path) -> None:
    """Each class once, in the numbers that the public label maps hold."""
    for name, classes in CLASSES.items():
        every = np.arange(classes).reshape(1, classes)
        make(name, tmp_path / name, lambda _, every=every: every)
        dataset = open_dataset(name, tmp_path / name)
        for sample in dataset:
            np.testing.assert_array_equal(dataset.labels(sample), every)


def test_numbers_of_some_classes(tmp_path: Path) -> None:
    """Against the documents of the data sets, not against our tables."""
    first = {name: open_made(name, tmp_path) for name in ("ade20k", "cityscapes", "pascal_context")}
    expected = {
        "ade20k": {0: None, 1: "wall", 3: "sky", 13: "person", 150: "flag", 255: None},
        "cityscapes": {0: None, 7: "road", 10: None, 23: "sky", 29: None, 33: "bicycle"},
        "pascal_context": {0: "background", 1: "aeroplane", 37: "person", 59: "wood", 255: None},
    }
    for name, dataset in first.items():
        sample = dataset.samples[0]
        numbers = np.array([[*expected[name]]])
        write_label_file(sample.labels, numbers)
        found = [None if n == 255 else dataset.classes[n] for n in dataset.labels(sample)[0]]
        assert found == [*expected[name].values()]


def open_made(name: str, folder: Path) -> Dataset:
    make(name, folder / name)
    return open_dataset(name, folder / name)


def test_original_ids_come_before_converted_ones(tmp_path: Path) -> None:
    dataset = open_made("cityscapes", tmp_path)
    assert [sample.labels.name.split("_")[-1] for sample in dataset] == [
        *["labelIds.png"] * 4,
        "labelTrainIds.png",
    ]
    original = dataset.samples[0].labels
    converted = original.with_name(original.name.replace("labelIds", "labelTrainIds"))
    write_label_file(converted, np.zeros((3, 3)))
    assert open_dataset("cityscapes", dataset.root).samples == dataset.samples


def test_the_demos_scenes() -> None:
    dataset = open_dataset(str(ROOT / "examples" / "scenes"))
    assert len(dataset) == 72
    assert dataset.labels(dataset.samples[0]).shape == (512, 512)


@pytest.mark.parametrize("mode", ["L", "P", "I;16"])
def test_ways_to_store_numbers(mode: str, tmp_path: Path) -> None:
    dataset = open_made("folder", tmp_path)
    sample = dataset.samples[0]
    numbers = np.array([[0, 1, 6, 255], [3, 3, 4, 5]])
    write_label_file(sample.labels, numbers, mode)
    np.testing.assert_array_equal(dataset.labels(sample), numbers)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("mode", ["L", "P"])
def test_numbers_of_few_bits(mode: str, bits: int, tmp_path: Path) -> None:
    dataset = open_made("folder", tmp_path)
    sample = dataset.samples[0]
    numbers = np.arange(12).reshape(2, 6) % min(2**bits, 7)
    if mode == "L":
        sample.labels.write_bytes(gray_png(numbers, bits))
    else:
        picture = Image.fromarray(numbers.astype(np.uint8))
        picture.putpalette(list(range(256)) * 3)
        picture.save(sample.labels, bits=bits)
    np.testing.assert_array_equal(dataset.labels(sample), numbers)


def gray_png(numbers: np.ndarray, bits: int) -> bytes:
    """A gray PNG of so many bits a pixel, which Pillow reads and does not write."""
    height, width = numbers.shape
    each = numbers[..., None] >> np.arange(bits)[::-1] & 1  # (height, width, bits)
    rows = np.packbits(each.reshape(height, -1).astype(np.uint8), axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return MAGIC + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def test_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of ade20k, cityscapes") as caught:
        open_dataset("ade20", tmp_path)
    assert caught.value.hint == "did you mean 'ade20k'?"


@pytest.mark.parametrize("name", ["ade20k", "cityscapes", "folder"])
def test_a_folder_tells_its_layout(name: str, tmp_path: Path) -> None:
    made = open_made(name, tmp_path)
    found = open_dataset(str(made.root))
    assert found.name == name and found.samples == made.samples


def test_a_folder_that_may_be_two_data_sets(tmp_path: Path) -> None:
    root = open_made("pascal_context", tmp_path).root
    with pytest.raises(DatasetError, match="may be pascal_context or pascal_context_59") as caught:
        open_dataset(str(root))
    assert caught.value.hint == f"say which, and --root {root}"


def test_neither_a_name_nor_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no layout of ade20k, .* in it"):
        open_dataset(str(tmp_path))
    with pytest.raises(DatasetError, match="neither a data set's name nor a folder"):
        open_dataset(str(tmp_path / "none"))
    with pytest.raises(InputError, match="'ade20k': expected the folder it lies in"):
        open_dataset("ade20k")


def test_a_wrong_root_says_what_was_looked_for(dataset: Dataset, tmp_path: Path) -> None:
    for root in (tmp_path / "none", tmp_path):
        with pytest.raises(DatasetError, match=f"not the root of {dataset.name}") as caught:
            open_dataset(dataset.name, root)
        for place in dataset.layout:
            assert place in caught.value.problem
    assert caught.value.hint == f"did you mean --root {tmp_path / 'root'}?"


def test_a_root_that_is_too_deep(tmp_path: Path) -> None:
    make("pascal_context", tmp_path)
    with pytest.raises(DatasetError) as caught:
        open_dataset("pascal_context", tmp_path / "VOCdevkit" / "VOC2010")
    assert caught.value.hint == f"did you mean --root {tmp_path}?"


def test_hidden_files_are_no_images(dataset: Dataset) -> None:
    for sample in dataset:
        sample.image.with_name(f"._{sample.image.name}").write_bytes(b"a note of macOS")
        (sample.image.parent / ".DS_Store").write_bytes(b"another one")
    assert open_dataset(dataset.name, dataset.root).samples == dataset.samples


def test_a_missing_part_is_named(dataset: Dataset) -> None:
    place = dataset.root / dataset.layout[-1]
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(DatasetError, match=f"there is no {dataset.layout[-1]}"):
        open_dataset(dataset.name, dataset.root)


def test_a_missing_label_map(dataset: Dataset) -> None:
    dataset.samples[1].labels.unlink()
    with pytest.raises(DatasetError, match="no such file, and so for 1 of the 5 label maps") as e:
        open_dataset(dataset.name, dataset.root)
    assert str(dataset.samples[1].labels) in e.value.problem


def test_no_images(dataset: Dataset) -> None:
    if dataset.name.startswith("pascal"):
        (dataset.root / dataset.layout[-1]).write_text("")
    else:
        for sample in dataset:
            sample.image.unlink()
    with pytest.raises(DatasetError, match=f"no image of {dataset.name} in it: looked for"):
        open_dataset(dataset.name, dataset.root)


def test_a_label_map_of_another_suffix(dataset: Dataset) -> None:
    labels = dataset.samples[1].labels
    other = labels.rename(labels.with_suffix(".jpg"))
    with pytest.raises(DatasetError, match="no such file") as caught:
        open_dataset(dataset.name, dataset.root)
    assert caught.value.hint == f"{other.name} is there: expected a .png file"


def test_two_images_of_one_label_map(tmp_path: Path) -> None:
    root = open_made("folder", tmp_path).root
    for other in ("photo_0000.png", "photo_0000.JPG"):
        added = root / "images" / other
        shutil.copy(root / "images" / "photo_0000.jpg", added)
        with pytest.raises(DatasetError, match=r"the label map of one sample, .* for two: ") as e:
            open_dataset("folder", root)
        assert f"{root / 'labels' / 'photo_0000.png'}: " in e.value.problem
        assert str(added) in e.value.problem and "photo_0000.jpg" in e.value.problem
        added.unlink()


def test_an_image_that_is_listed_twice(tmp_path: Path) -> None:
    dataset = open_made("pascal_context", tmp_path)
    split = dataset.root / dataset.layout[-1]
    split.write_text(split.read_text() + "2008_000003\n")
    with pytest.raises(DatasetError, match=r"2008_000003\.jpg: expected the image of one sample"):
        open_dataset("pascal_context", dataset.root)


def test_ids_tell_samples_apart() -> None:
    samples = [Sample("same", Path(f"{n}.jpg"), Path(f"{n}.png")) for n in range(2)]
    with pytest.raises(DatasetError, match=r"same: expected the id of .* 0\.jpg and 1\.jpg"):
        check_told_apart(samples)


def test_classes_of_an_editor_of_windows(tmp_path: Path) -> None:
    root = open_made("folder", tmp_path).root
    (root / "classes.txt").write_bytes(b"\xef\xbb\xbfsky\r\nroad\r\n")
    assert open_dataset("folder", root).classes == ("sky", "road")


def test_a_missing_image_of_the_split(tmp_path: Path) -> None:
    dataset = open_made("pascal_context", tmp_path)
    dataset.samples[2].image.unlink()
    with pytest.raises(DatasetError, match="no such file, and so for 1 of the 5 images"):
        open_dataset("pascal_context", dataset.root)


def test_labels_out_of_range(dataset: Dataset) -> None:
    sample = dataset.samples[0]
    foreign = {"ade20k": 151, "cityscapes": 34, "pascal_context": 60, "pascal_context_59": 60}
    number = foreign.get(dataset.name, len(dataset.classes))
    write_label_file(sample.labels, np.array([[0, 1, number, 255]]))
    with pytest.raises(DatasetError, match=f"labels 0 to {number - 1} or 255 .*, got {number}"):
        dataset.labels(sample)
    write_label_file(sample.labels, np.array([[0, 256 + 1]]), "I;16")
    with pytest.raises(DatasetError, match="got 257"):
        dataset.labels(sample)


def test_files_that_are_no_label_maps(tmp_path: Path) -> None:
    dataset = open_made("folder", tmp_path)
    sample = dataset.samples[0]
    whole = sample.labels.read_bytes()
    picture = tmp_path / "picture.png"
    Image.new("RGB", (9, 9)).save(picture)
    contents = {
        b"text": "not a PNG file",
        b"": "not a PNG file",
        whole[:-20]: "the file ends early",
        picture.read_bytes(): "its pixels are colors",
    }
    for content, problem in contents.items():
        sample.labels.write_bytes(content)
        with pytest.raises(DatasetError, match=f"{sample.labels}: .*{problem}"):
            dataset.labels(sample)


@pytest.mark.parametrize("text", ["", "one\n", "\n".join(map(str, range(256)))])
def test_lists_of_too_few_or_too_many_classes(text: str, tmp_path: Path) -> None:
    make("folder", tmp_path)
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(DatasetError, match=r"classes\.txt: expected 2 to 255 classes"):
        open_dataset("folder", tmp_path)
