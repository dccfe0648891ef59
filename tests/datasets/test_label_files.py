"""What is said of a file that is no label map, or another image's."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.datasets.label_files import (
    check_numbers,
    check_size,
    read_numbers,
)
from mpm_deploy.errors import DatasetError
from tests.support.scripts import ROOT

PALETTE = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
NUMBERS = np.arange(12).reshape(3, 4) % 3
PAINTED = Image.fromarray(np.array(PALETTE, np.uint8)[NUMBERS])
GRAY = Image.fromarray(NUMBERS.astype(np.uint8))


def hint_of(error: pytest.ExceptionInfo[DatasetError]) -> str:
    return error.value.hint or ""


@pytest.mark.parametrize(
    ("picture", "hint"),
    [
        (PAINTED, "its colors are the artifact's own: "),
        (PAINTED.convert("RGBA"), "its colors are the artifact's own: "),
        (Image.new("RGB", (4, 3), (1, 2, 3)), "put the number of its class in place of each color"),
        (GRAY.convert("RGB"), "its channels are equal, so keep one: Image.open"),
        (GRAY.convert("LA"), "its channels are equal, so keep one: Image.open"),
    ],
)
def test_colors_in_place_of_numbers(picture: Image.Image, hint: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture.save(path)
    with pytest.raises(DatasetError, match=r"a\.png: .*: its pixels are colors") as caught:
        read_numbers(path, PALETTE)
    assert hint_of(caught).startswith(hint)


def test_the_cure_for_equal_channels_helps(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    GRAY.convert("RGB").save(path)
    Image.open(path).getchannel(0).save(path)
    np.testing.assert_array_equal(read_numbers(path), NUMBERS)


def test_the_guide_shows_how_colors_become_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("painted", "labels"):
        (tmp_path / folder).mkdir()
    street = np.array([[128, 64, 128], [244, 35, 232], [0, 0, 0]], np.uint8)
    Image.fromarray(street[NUMBERS]).save("painted/a.png")
    guide = (ROOT / "docs" / "guides" / "accuracy.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    exec(compile(block, "docs/guides/accuracy.md", "exec"), {})
    expected = np.where(NUMBERS == 2, 255, NUMBERS)
    np.testing.assert_array_equal(read_numbers(Path("labels/a.png")), expected)


def test_another_format(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    GRAY.save(path, format="JPEG")
    with pytest.raises(DatasetError, match="not a PNG file") as caught:
        read_numbers(path)
    assert "JPEG does not keep numbers" in hint_of(caught)


@pytest.mark.parametrize("content", [b"", b"text"])
def test_no_picture(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DatasetError, match="not a PNG file") as caught:
        read_numbers(tmp_path / "a.png")
    assert hint_of(caught) == "copy this file again"


@pytest.mark.parametrize(
    ("numbers", "got", "hint"),
    [
        ([0, 3, 3, 200], r"got 3 \(2 pixels\), 200 \(1 pixels\)\n", "cure"),
        ([0, 3, 4, 5, 6, 7], r"got 3 .*, 4 .*, 5 .*, and 2 more numbers\n", "cure"),
        ([1, 2, 3, 255], r"got 3 \(1 pixels\)\n", "its numbers seem to begin at 1"),
        ([0, 257, 514, 65535], "got 257", "numbers of 8 bits were spread over 16"),
    ],
)
def test_numbers_that_mean_nothing(numbers: list[int], got: str, hint: str) -> None:
    for kind in (np.uint8, np.uint16):
        if max(numbers) <= np.iinfo(kind).max:
            with pytest.raises(DatasetError, match=f"0 to 2 or 255 in these, {got}") as caught:
                check_numbers(Path("a.png"), np.array([numbers], kind), 3, " in these", "cure")
            assert hint_of(caught).startswith(hint)


def turned_image(path: Path, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (4, 3)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_label_map_that_lies_across(suffix: str, tmp_path: Path) -> None:
    image = turned_image(tmp_path / f"a{suffix}", 6)
    check_size(Path("a.png"), (4, 3), image, (4, 3))
    with pytest.raises(DatasetError, match="expected the size of its image, 4 × 3, got 3 × 4") as e:
        check_size(Path("a.png"), (3, 4), image, (4, 3))
    assert "turned upright by its EXIF orientation 6, and its label map is not" in hint_of(e)
    upright = turned_image(tmp_path / f"b{suffix}", 1)
    with pytest.raises(DatasetError, match="expected the size of its image, 3 × 4, got 4 × 3") as e:
        check_size(Path("b.png"), (4, 3), upright, (3, 4))
    assert "the image has no EXIF orientation that says so" in hint_of(e)
    with pytest.raises(DatasetError) as e:
        check_size(Path("b.png"), (6, 8), upright, (3, 4))
    assert "scaled, or belongs to another image" in hint_of(e)
