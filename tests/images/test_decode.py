"""The forms of an image, fitting one to an input, and the images of a folder."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mpm_deploy.errors import ImageError, InputError
from mpm_deploy.images.decode import (
    ImageLike,
    check_names_a_folder,
    decode,
    find_images,
    fit,
    scale,
    take,
)
from mpm_deploy.images.pixels import ChannelOrder
from tests.images.made_up import noise, rows_of, smooth


def to_tensor(image: ImageLike, channels: ChannelOrder = "rgb") -> torch.Tensor:
    """An image taken as a Runner does, and decoded where that is to be done."""
    taken = take(image, channels)
    return taken if isinstance(taken, torch.Tensor) else decode(taken)


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


# What Pillow opens and what the path names is one picture

WIDE = (noise(40, 50)[:, :, 0].astype(np.uint16) << 8) + noise(40, 50)[:, :, 1]


def of_mode(mode: str) -> Image.Image:
    return smooth(40, 50).convert(mode)


MODES = {"png": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"], "jpg": ["L", "RGB", "CMYK", "YCbCr"]}


@pytest.mark.parametrize(
    ("suffix", "mode"), [(suffix, mode) for suffix in MODES for mode in MODES[suffix]]
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_file_has_one_meaning(mode: str, suffix: str, orientation: int, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(WIDE) if mode == "I;16" else of_mode(mode)
    image.save(path, exif=exif)
    expected = to_tensor(path)
    assert expected.shape == ((3, 40, 50) if orientation == 1 else (3, 50, 40))
    with Image.open(path) as opened:
        assert torch.equal(to_tensor(opened), expected)
        assert torch.equal(to_tensor(opened), expected)  # decoded already
        made = opened.copy()
    if orientation == 1:
        assert torch.equal(to_tensor(made), expected)
    else:
        assert to_tensor(made).shape == (3, 40, 50)  # pixels that a program made


@pytest.mark.parametrize("mode", ["PA", "La", "RGBa", "RGBX", "HSV", "LAB"])
def test_pixels_that_no_file_has(mode: str) -> None:
    image = of_mode("LA").convert("La") if mode == "La" else Image.new(mode, (9, 6))
    assert to_tensor(image).shape == (3, *image.size[::-1])


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_of_sixteen_bits_the_high_byte(mode: str) -> None:
    stored = WIDE.astype(">u2" if mode == "I;16B" else "<u2").tobytes()
    pixels = rows_of(to_tensor(Image.frombytes(mode, (50, 40), stored)))
    assert (pixels == (WIDE >> 8)[:, :, None]).all()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_a_mode_without_white_is_refused(mode: str) -> None:
    with pytest.raises(ImageError, match=f"mode {mode} do not say which is white"):
        to_tensor(of_mode("L").convert(mode))


def test_a_pil_image_without_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match="0 x 5 pixels"):
        to_tensor(Image.new("RGB", (0, 5)))


def test_a_closed_pil_image_is_said_to_be_closed(tmp_path: Path) -> None:
    smooth(6, 9).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as never_decoded:
        pass
    decoded = smooth(6, 9)
    decoded.close()
    for image in (never_decoded, decoded):
        with pytest.raises(ImageError, match="the image is closed"):
            to_tensor(image)


# Open files


class Download:
    """Something that reads like a file, until its connection is lost."""

    def read(self) -> bytes:
        raise EOFError("connection lost")


def test_an_open_file_that_cannot_be_read_is_an_image_error(tmp_path: Path) -> None:
    closed = io.BytesIO(b"picture")
    closed.close()
    at_its_end = io.BytesIO(b"picture")
    at_its_end.read()
    for file, problem in (
        (closed, "closed file"),
        (at_its_end, "no more bytes"),
        (Download(), "connection lost"),
    ):
        with pytest.raises(ImageError, match=problem):
            take(file)


def test_a_file_that_is_open_as_text_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with (tmp_path / "a.jpg").open(encoding="utf-8") as text:
        for file in (text, io.StringIO("picture")):
            with pytest.raises(InputError, match="expected an open file that reads bytes") as error:
                take(file)  # type: ignore[arg-type]
            assert 'open(path, "rb")' in str(error.value)


@pytest.mark.parametrize("name", ["a\0b.jpg", "a" * 5000])
def test_a_name_that_no_file_can_have_is_an_error_of_ours(name: str) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        to_tensor(name)
    with pytest.raises(InputError, match=r"no such file|cannot be read"):
        find_images(name)


def test_a_pipe_is_an_image(tmp_path: Path) -> None:
    pipe, image = tmp_path / "pipe", io.BytesIO()
    pixels = noise(6, 9)
    Image.fromarray(pixels).save(image, "PNG")
    os.mkfifo(pipe)
    assert find_images(pipe) == [pipe]
    with ThreadPoolExecutor(1) as other_program:
        written = other_program.submit(pipe.write_bytes, image.getvalue())
        assert (rows_of(to_tensor(pipe)) == pixels).all()
        written.result()


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


def test_a_folder_of_folders_has_a_cure_that_names_one_and_how_to_take_all(tmp_path: Path) -> None:
    (tmp_path / "in" / "empty").mkdir(parents=True)
    (tmp_path / "in" / "day").mkdir()
    with pytest.raises(InputError, match="hint: name a folder that holds JPEG or PNG files"):
        find_images(tmp_path / "in")
    (tmp_path / "in" / "day" / "a.png").touch()
    with pytest.raises(InputError) as caught:
        find_images(tmp_path / "in")
    inner = tmp_path / "in" / "day"
    cure = f"name one inside it, as {inner}; `run` takes them all with --recursive"
    assert caught.value.hint == cure
    assert find_images(inner) == [inner / "a.png"]


def test_a_folder_for_results_has_no_images_name_unless_it_is_there(tmp_path: Path) -> None:
    for name in ("one.png", "ONE.JPG"):
        with pytest.raises(InputError, match="expected a folder for results, got an image's name"):
            check_names_a_folder(tmp_path / name)
    (tmp_path / "one.png").mkdir()
    check_names_a_folder(tmp_path / "one.png")
    check_names_a_folder(tmp_path / "new")


def test_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image in this folder"):
        find_images(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        find_images(tmp_path / "absent")


@pytest.mark.parametrize("size", [(96, 96), (90, 64), (50, 110)])
def test_scaling_is_within_a_level_of_floating_point(size: tuple[int, int]) -> None:
    image = torch.randint(0, 256, (3, 64, 80), dtype=torch.uint8, generator=torch.manual_seed(0))
    exact = torch.nn.functional.interpolate(image[None].double(), size, mode="bilinear")[0]
    off = (scale(image, size).double() - exact.round()).abs()
    assert off.max() == 1
    assert (off > 0).double().mean() < 0.3
