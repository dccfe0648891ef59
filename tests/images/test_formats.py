import io
import re
import struct
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mpm_deploy.errors import ImageError
from mpm_deploy.images.decode import decode
from tests.images.made_up import RNG, noise, rows_of, smooth


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def make_png(
    rows: list[bytes], width: int, depth: int, color: int, extra: tuple[bytes, ...] = ()
) -> bytes:
    """A PNG out of packed rows, so that no library stands between samples and file."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, color, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    body = [png_chunk(b"IHDR", header), *extra, png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def interlace(image: Image.Image) -> bytes:
    """The same picture as an Adam7 PNG: Pillow reads these but does not write them."""
    depth = 1 if image.mode == "1" else 8
    color = {"1": 0, "L": 0, "RGB": 2, "P": 3}[image.mode]
    samples = np.array(image)
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    rows = b""
    for left, top, across, down in [*steps, (0, 1, 1, 2)]:
        for row in samples[top::down, left::across]:
            packed = np.packbits(row).tobytes() if depth == 1 else row.tobytes()
            rows += b"\0" + packed if packed else b""
    header = struct.pack(">IIBBBBB", *image.size, depth, color, 0, 0, 1)
    palette = png_chunk(b"PLTE", bytes(image.getpalette() or [])) if color == 3 else b""
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + palette
        + pixels
        + png_chunk(b"IEND", b"")
    )


def make_jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def with_segment(jpeg: bytes, marker: int, payload: bytes) -> bytes:
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + jpeg[2:]


def exif(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    magic = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, kind, 1, orientation, 0)
    return magic + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


# PNG: samples in, samples out


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_small_gray_is_scaled_to_eight_bits(depth: int) -> None:
    values = RNG.integers(0, 2**depth, (5, 8))
    bits = [[(int(v) >> (depth - 1 - b)) & 1 for v in row for b in range(depth)] for row in values]
    rows = [np.packbits(row).tobytes() for row in bits]
    pixels = rows_of(decode(make_png(rows, 8, depth, 0)))
    assert (pixels == (values * 255 // (2**depth - 1))[:, :, None]).all()


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("depth", [8, 16])
def test_alpha_and_low_byte_are_dropped(color: int, channels: int, depth: int) -> None:
    samples = RNG.integers(0, 2**depth, (6, 7, channels))
    rows = [row.astype(">u2" if depth == 16 else "u1").tobytes() for row in samples]
    high = (samples >> (depth - 8)).astype(np.uint8)
    expected = high[:, :, :3] if channels >= 3 else np.repeat(high[:, :, :1], 3, axis=2)
    assert (rows_of(decode(make_png(rows, 7, depth, color))) == expected).all()


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palette_is_expanded_and_its_transparency_dropped(depth: int) -> None:
    colors = RNG.integers(0, 256, (2**depth, 3), dtype=np.uint8)
    indices = RNG.integers(0, 2**depth, (5, 8))
    bits = [[(int(v) >> (depth - 1 - b)) & 1 for v in row for b in range(depth)] for row in indices]
    rows = [np.packbits(row).tobytes() for row in bits]
    extra = (png_chunk(b"PLTE", colors.tobytes()), png_chunk(b"tRNS", bytes(2**depth)))
    assert (rows_of(decode(make_png(rows, 8, depth, 3, extra))) == colors[indices]).all()


def test_index_beyond_the_palette_is_black() -> None:
    extra = (png_chunk(b"PLTE", bytes([9, 8, 7])),)
    pixels = rows_of(decode(make_png([bytes([0, 1, 255])], 3, 8, 3, extra)))
    assert pixels.tolist() == [[[9, 8, 7], [0, 0, 0], [0, 0, 0]]]


def test_gamma_and_text_bombs_do_not_reach_the_pixels() -> None:
    bomb = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(3_000_000)))
    extra = (png_chunk(b"gAMA", struct.pack(">I", 10)), bomb, png_chunk(b"acTL", bytes(8)))
    row = bytes(range(9))
    assert rows_of(decode(make_png([row], 3, 8, 2, extra))).tobytes() == row


# JPEG


def test_jpeg_equals_pillow() -> None:
    for options in ({}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}):
        data = make_jpeg(smooth(37, 71), **options)
        assert (rows_of(decode(data)) == np.array(Image.open(io.BytesIO(data)))).all()


def test_gray_jpeg_is_replicated() -> None:
    data = make_jpeg(smooth(20, 30).convert("L"))
    gray = np.array(Image.open(io.BytesIO(data)))
    assert (rows_of(decode(data)) == gray[:, :, None]).all()


def test_cmyk_follows_the_written_formula() -> None:
    inks = RNG.integers(0, 256, (16, 24, 4), dtype=np.uint8)
    data = make_jpeg(Image.fromarray(inks, "CMYK"), quality=100)
    # Pillow gives ink; the file stores 255 - ink
    stored = 255 - np.array(Image.open(io.BytesIO(data))).astype(int)
    expected = (stored[:, :, :3] * stored[:, :, 3:] + 127) // 255
    assert (rows_of(decode(data)) == expected).all()


def test_cmyk_white_and_black() -> None:
    for ink, light in (((0, 0, 0, 0), 255), ((0, 0, 0, 255), 0)):
        data = make_jpeg(Image.new("CMYK", (16, 16), ink), quality=100)
        assert (rows_of(decode(data)) == light).all()


def test_first_picture_of_several() -> None:
    first, second = smooth(20, 30), smooth(20, 30)
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    expected = np.array(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
    assert (rows_of(decode(buffer.getvalue())) == expected).all()


def test_jpeg_under_a_png_name(tmp_path: Path) -> None:
    data = make_jpeg(smooth(8, 8))
    (tmp_path / "a.png").write_bytes(data)
    assert torch.equal(decode(tmp_path / "a.png"), decode(data))


# Orientation

TURNS = {
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: np.fliplr(np.rot90(p, -1)),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.fliplr(np.rot90(p, 1)),
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", TURNS)
def test_orientation_is_applied(orientation: int, order: str) -> None:
    plain = make_jpeg(smooth(10, 17))
    expected = TURNS[orientation](rows_of(decode(plain)))
    turned = with_segment(plain, 0xE1, b"Exif\0\0" + exif(orientation, order))
    assert (rows_of(decode(turned)) == expected).all()
    pixels = noise(4, 6)
    rows = [row.tobytes() for row in pixels]
    data = make_png(rows, 6, 8, 2, (png_chunk(b"eXIf", exif(orientation, order)),))
    assert (rows_of(decode(data)) == TURNS[orientation](pixels)).all()


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0",
        b"nonsense" * 4,
        exif(0),
        exif(9),
        exif(6, kind=2),
        exif(6)[:16],
        struct.pack("<4sI", b"II*\0", 2**31),
    ],
)
def test_broken_exif_is_no_orientation(block: bytes) -> None:
    plain = make_jpeg(smooth(10, 17))
    assert torch.equal(decode(with_segment(plain, 0xE1, b"Exif\0\0" + block)), decode(plain))


def test_orientation_in_other_metadata_is_not_looked_at() -> None:
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    plain = make_jpeg(smooth(10, 17))
    assert torch.equal(decode(with_segment(plain, 0xE1, xmp)), decode(plain))


# Refused


CODINGS = [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"optimize": True}]
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


@pytest.mark.parametrize("options", CODINGS)
def test_jpeg_that_ends_early_is_refused(options: dict[str, object]) -> None:
    data = make_jpeg(smooth(67, 93), **options)
    for length in [*range(3, len(data) - 2, 41), *range(len(data) - 9, len(data) - 2)]:
        with pytest.raises(ImageError, match="ends early"):
            decode(data[:length])
        for tail in (b"\xff", bytes(1000)):
            with pytest.raises(ImageError):
                decode(data[:length] + tail)


@pytest.mark.parametrize("options", CODINGS)
@pytest.mark.parametrize("tail", [b"", b"\xff", bytes(1000), b"\xff\xd8\xff\xe1 another picture"])
def test_jpeg_without_its_end_is_whole(options: dict[str, object], tail: bytes) -> None:
    data = make_jpeg(smooth(67, 93), **options)
    assert data.endswith(END_OF_IMAGE)
    assert torch.equal(decode(data[:-2] + tail), decode(data))


@pytest.mark.parametrize("tail", [bytes(1000), b"a trailer of its camera", b"\xff\xd8\xff\xda"])
def test_what_follows_the_end_of_a_jpeg_is_not_looked_at(tail: bytes) -> None:
    data = make_jpeg(smooth(67, 93))
    assert torch.equal(decode(data + tail), decode(data))


@pytest.mark.parametrize("options", CODINGS)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_that_is_cut_before_its_end_is_refused(options: dict[str, object], mode: str) -> None:
    data = make_jpeg(smooth(67, 93).convert(mode), **options)
    last_scan = data.rindex(START_OF_SCAN) if "progressive" in options else len(data) - 150
    for length in range(data.index(START_OF_SCAN) + 14, last_scan, 29):
        for fill in (b"", b"\xff"):
            with pytest.raises(ImageError, match="ends early"):
                decode(data[:length] + fill + END_OF_IMAGE)


def test_gray_at_the_end_is_no_sign_of_a_cut() -> None:
    for color in ((128, 128, 128), (64, 64, 64)):
        data = make_jpeg(Image.new("RGB", (40, 40), color))
        assert (rows_of(decode(data)) == color).all()


def test_a_short_segment_that_would_name_the_colors_is_passed_over() -> None:
    data = make_jpeg(smooth(20, 30))
    for marker, payload in ((0xE0, b"JFIF\0"), (0xEE, b"Adobe\0")):
        assert torch.equal(decode(with_segment(data, marker, payload)), decode(data))


def test_damaged_jpeg_without_its_end_is_refused() -> None:
    data = make_jpeg(smooth(67, 93))
    scan = data.index(b"\xff\xda") + 14
    damaged = data[:scan] + data[scan + 40 : scan + 45] + data[scan + 90 : -2] + bytes(20)
    with pytest.raises(ImageError):
        decode(damaged)


def test_png_that_ends_early_is_refused() -> None:
    data = make_png([row.tobytes() for row in noise(9, 11)], 11, 8, 2)
    for length in range(8, len(data)):
        with pytest.raises(ImageError, match="ends early"):
            decode(data[:length])


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (9, 2), (33, 17)])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_interlaced_png(size: tuple[int, int], mode: str) -> None:
    pixels = noise(size[1], size[0])
    plain = Image.fromarray(pixels).convert(mode)
    buffer = io.BytesIO()
    plain.save(buffer, "PNG")
    expected = decode(buffer.getvalue())
    assert torch.equal(decode(interlace(plain)), expected)


def test_png_with_too_little_data_is_refused() -> None:
    data = make_png([bytes(3)], 1, 8, 2)
    taller = data.replace(
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 9, 8, 2, 0, 0, 0)),
    )
    with pytest.raises(ImageError, match="broken image data"):
        decode(taller)


@pytest.mark.parametrize(("surplus", "cut"), [(0, 0), (5, 0), (200_000, 0), (0, 3), (5, 6)])
def test_png_may_hold_more_than_its_rows_but_not_be_cut(surplus: int, cut: int) -> None:
    rows = noise(4, 5)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows) + bytes(surplus))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", packed[: len(packed) - cut])
    data = b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")
    if cut:
        with pytest.raises(ImageError, match="broken image data"):
            decode(data)
    else:
        assert (rows_of(decode(data)) == rows).all()


def test_png_with_a_flipped_bit_is_refused() -> None:
    data = bytearray(make_png([row.tobytes() for row in noise(9, 11)], 11, 8, 2))
    data[70] ^= 4
    with pytest.raises(ImageError, match="broken PNG chunk"):
        decode(bytes(data))


def test_bombs_are_refused_by_their_header() -> None:
    with pytest.raises(ImageError, match="40000 x 40000 pixels, more than the 128,000,000"):
        decode(
            make_png([b""], 40000, 8, 2).replace(
                png_chunk(b"IHDR", struct.pack(">IIBBBBB", 40000, 1, 8, 2, 0, 0, 0)),
                png_chunk(b"IHDR", struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0)),
            )
        )
    jpeg = bytearray(make_jpeg(smooth(8, 8)))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 40000, 40000)
    with pytest.raises(ImageError, match="40000 x 40000"):
        decode(bytes(jpeg))


@pytest.mark.parametrize(
    ("frame", "message"),
    [(0xC9, "arithmetic"), (0xCA, "arithmetic"), (0xC3, "lossless"), (0xC5, "hierarchical")],
)
def test_uncommon_coding_is_refused(frame: int, message: str) -> None:
    data = make_jpeg(smooth(8, 8)).replace(b"\xff\xc0", bytes([0xFF, frame]), 1)
    with pytest.raises(ImageError, match=message):
        decode(data)


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("this is text")
    with pytest.raises(ImageError, match=r"empty\.jpg: the file is empty"):
        decode(tmp_path / "empty.jpg")
    with pytest.raises(ImageError, match=r"text\.png: not a JPEG or PNG file"):
        decode(tmp_path / "text.png")
    with pytest.raises(ImageError, match=r"absent\.png: cannot be read: No such file"):
        decode(tmp_path / "absent.png")


SEEDS = [
    make_jpeg(smooth(19, 23)),
    make_jpeg(smooth(19, 23), progressive=True),
    make_png([row.tobytes() for row in noise(9, 11)], 11, 8, 2),
]


@settings(max_examples=300, deadline=None)
@given(seed=st.sampled_from(SEEDS), data=st.data())
def test_damaged_files_give_pixels_or_an_image_error(seed: bytes, data: st.DataObject) -> None:
    damaged = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(seed) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            image = decode(bytes(damaged))
        except ImageError:
            return
    assert image.dtype == torch.uint8 and image.shape[0] == 3


# What a decoder would make up, or each in its own way


def scans_of(jpeg: bytes) -> tuple[bytes, list[bytes]]:
    """The header of a JPEG, and each scan with the tables before it."""
    ends = [m.end() for m in re.finditer(rb"\xff\xda.*?(?=\xff[\xc0-\xcf\xd8-\xfe])", jpeg, re.S)]
    begin = jpeg.index(b"\xff\xc4")
    return jpeg[:begin], [jpeg[a:b] for a, b in pairwise([begin, *ends])]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_progressive_jpeg_needs_each_scan_once_in_order(mode: str, subsampling: int) -> None:
    options = {"subsampling": subsampling} if mode == "RGB" else {}
    header, scans = scans_of(make_jpeg(smooth(67, 93).convert(mode), progressive=True, **options))
    assert len(scans) > 5
    decode(header + b"".join(scans) + END_OF_IMAGE)
    for index in range(len(scans)):
        for others in (scans[:index] + scans[index + 1 :], [*scans, scans[index]]):
            with pytest.raises(ImageError, match="ends early"):
                decode(header + b"".join(others) + END_OF_IMAGE)


def test_a_jpeg_has_no_more_scans_and_segments_than_anybody_writes() -> None:
    header, scans = scans_of(make_jpeg(smooth(8, 8), progressive=True))
    with pytest.raises(ImageError, match="more than 100 scans"):
        decode(header + b"".join(scans) + 100 * scans[-1] + END_OF_IMAGE)
    comment = b"\xff\xfe\x00\x02"
    for many in (header[:2] + 10_001 * comment + header[2:], header + scans[0] + 10_001 * comment):
        with pytest.raises(ImageError, match="more than 10,000 segments"):
            decode(many + b"".join(scans) + END_OF_IMAGE)


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\x00", b"\x00", bytes(99) + b"\x01"], ids=repr)
def test_megabytes_of_filler_take_no_time(filler: bytes) -> None:
    data = make_jpeg(smooth(8, 8))
    many = filler * (300_000 // len(filler))
    tables = data.index(b"\xff\xdb")
    assert torch.equal(decode(data[:tables] + many + data[tables:]), decode(data))
    with suppress(ImageError):
        decode(data[:-20] + many + data[-20:])


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-1] + bytes([packed[-1] ^ 1]),
        lambda packed: packed[:-4],
        lambda packed: b"\x78\x9c" + packed[2:40] + b"\xff" + packed[41:],
        lambda packed: zlib.compress(zlib.decompress(packed) + bytes(2_000_000)),
        lambda packed: zlib.compress(zlib.decompress(packed)[:-1]),
    ],
    ids=["checksum", "cut", "broken", "bomb", "short"],
)
def test_what_is_wrong_with_packed_rows_is_found(damage: Callable[[bytes], bytes]) -> None:
    rows = [row.tobytes() for row in noise(9, 11)]
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    data = make_png(rows, 11, 8, 2)
    assert png_chunk(b"IDAT", packed) in data
    damaged = data.replace(png_chunk(b"IDAT", packed), png_chunk(b"IDAT", damage(packed)))
    with pytest.raises(ImageError, match="broken image data"):
        decode(damaged)


def test_a_small_window_and_what_follows_the_data_are_no_damage() -> None:
    rows = noise(40, 300)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    small = bytearray(zlib.compress(raw))
    small[:2] = b"\x08\x1d"  # a window of 256 bytes, as it says
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 300, 40, 8, 2, 0, 0, 0))
    for packed in (bytes(small), zlib.compress(raw) + b"more"):
        pixels = png_chunk(b"IDAT", packed)
        data = b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"") + b"and more"
        assert (rows_of(decode(data)) == rows).all()


def test_a_png_has_no_more_chunks_than_anybody_writes() -> None:
    data = make_png([bytes(3)], 1, 8, 2, (100_000 * png_chunk(b"IDAT", b""),))
    with pytest.raises(ImageError, match="more than 100,000 chunks"):
        decode(data)


def test_a_large_image_is_decoded_band_by_band() -> None:
    rows = noise(1100, 1000)
    packed = make_png([row.tobytes() for row in rows], 1000, 8, 2)
    assert (rows_of(decode(packed)) == rows).all()


def test_zeros_at_the_end_of_a_segment_behind_the_scan_belong_to_it() -> None:
    data = make_jpeg(smooth(8, 8))
    for payload in (bytes(4), b"\xff" * 4):
        behind = data[:-2] + b"\xff\xfe\x00\x06" + payload
        for tail in (b"", bytes(20), END_OF_IMAGE):
            assert torch.equal(decode(behind + tail), decode(data))
