"""The forms of an image, fitting one to an input, and the images of a folder."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import find_images, fit, take, to_tensor
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
    data = (tmp_path / "a.png").read_bytes()
    alpha = np.zeros((6, 9, 1), np.uint8)
    forms = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        Image.fromarray(pixels),
        pixels,
        pixels[:, ::-1].copy()[:, ::-1],
        np.dstack([pixels, alpha]),
        torch.from_numpy(pixels).permute(2, 0, 1),
        torch.from_numpy(np.dstack([pixels, alpha])).permute(2, 0, 1),
    ]
    for form in forms:
        assert (rows_of(to_tensor(form)) == pixels).all()


def test_gray_is_replicated() -> None:
    gray = noise(6, 9)[:, :, 0]
    tensor = torch.from_numpy(gray)
    for form in (gray, gray[:, :, None], tensor, tensor[None], Image.fromarray(gray)):
        assert (rows_of(to_tensor(form, "bgr")) == gray[:, :, None]).all()


def test_the_order_of_channels_is_that_of_arrays_and_tensors() -> None:
    pixels = noise(6, 9)
    bgr = np.ascontiguousarray(pixels[:, :, ::-1])
    bgra = np.dstack([bgr, bgr[:, :, 0]])
    for form in (bgr, bgra, torch.from_numpy(bgra).permute(2, 0, 1), Image.fromarray(pixels)):
        assert (rows_of(to_tensor(form, "bgr")) == pixels).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_is_taken_is_not_shared(channels: int) -> None:
    array = np.zeros((6, 9, channels), np.uint8)
    tensor = torch.zeros(channels, 6, 9, dtype=torch.uint8)
    for order in ("rgb", "bgr"):
        taken = [take(form, order) for form in (array, tensor)]
        array += 1
        tensor += 1
        assert [int(pixels.max()) for pixels in taken] == [int(array.max()) - 1] * 2


@pytest.mark.parametrize("shape", [(1, 9, 3), (4, 9, 3)])
def test_a_shape_that_may_mean_two_pictures_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="image: expected a uint8 tensor"):
        to_tensor(torch.zeros(shape, dtype=torch.uint8))
    with pytest.raises(InputError, match="image: expected a uint8 array"):
        to_tensor(np.zeros(shape[::-1], np.uint8))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        torch.zeros(4, 4, 3, dtype=torch.uint8),
        torch.zeros(3, 4, 4),
        torch.zeros(3, 4, 4, dtype=torch.uint8, device="meta"),
        torch.zeros(3, 4, 4, dtype=torch.uint8).to_sparse(),
        np.ma.masked_array(np.zeros((4, 4, 3), np.uint8)),
        io.StringIO("text"),
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
