"""The forms of an image, fitting one to an input, and the images of a folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import find_images, fit, to_tensor
from tests.images.made_up import noise, rows_of, smooth


def test_fit_keeps_an_image_of_the_right_size() -> None:
    image = torch.from_numpy(noise(32, 48)).permute(2, 0, 1)
    fitted = fit(image, (32, 48))
    assert fitted.is_contiguous() and torch.equal(fitted, image)


@pytest.mark.parametrize("size", [(37, 701), (701, 37), (1, 1), (5, 5), (1000, 900)])
def test_fit_is_antialiased_and_same_for_every_memory_layout(size: tuple[int, int]) -> None:
    planes = torch.from_numpy(np.array(smooth(*size))).permute(2, 0, 1)
    fitted = fit(planes, (64, 96))
    assert fitted.shape == (3, 64, 96) and fitted.is_contiguous()
    assert torch.equal(fitted, fit(planes.contiguous(), (64, 96)))
    exact = torch.nn.functional.interpolate(
        planes[None].double(), (64, 96), mode="bilinear", antialias=True
    )[0]
    assert (fitted.double() - exact).abs().max() <= 2


def test_forms_of_an_image_agree(tmp_path: Path) -> None:
    pixels = noise(6, 9)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    forms = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.fromarray(pixels),
        pixels,
        torch.from_numpy(pixels).permute(2, 0, 1),
    ]
    for form in forms:
        assert (rows_of(to_tensor(form)) == pixels).all()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        torch.zeros(4, 4, 3, dtype=torch.uint8),
        torch.zeros(3, 4, 4),
        b"bytes",
        None,
    ],
)
def test_other_arrays_are_refused(wrong: object) -> None:
    with pytest.raises(InputError, match="image: expected"):
        to_tensor(wrong)  # type: ignore[arg-type]


def test_find_images_sorts_by_bytes_leaves_out_hidden_files_and_stays_in_the_folder(
    tmp_path: Path,
) -> None:
    for name in ("b.JPG", "a.png", "Z.jpeg", "ä.png", "notes.txt", "._b.JPG", ".nfs01.png"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "inner.png").touch()
    assert [file.name for file in find_images(tmp_path)] == ["Z.jpeg", "a.png", "b.JPG", "ä.png"]
    for named in ("notes.txt", "._b.JPG"):
        assert find_images(tmp_path / named) == [tmp_path / named]


def test_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image in this folder"):
        find_images(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        find_images(tmp_path / "absent")
