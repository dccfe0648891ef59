"""Make the corpus: small inputs of every kind, from which fuzzing begins.

python -m tools.fuzz.make_corpus FOLDER      a folder of files for each format
"""

import dataclasses
import hashlib
import io
import itertools
import json
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import torch
from PIL import Image

from mpm_deploy.artifact import FORMAT, write_artifact
from mpm_deploy.artifact.archive import MANIFEST, SIGNATURE
from mpm_deploy.artifact.manifest import FORMAT_1
from tests.support import toy

Records = list[tuple[str, bytes]]  # name without the top folder, and bytes

ROOT = Path(__file__).parent.parent.parent
TOP_FOLDER = "fuzz"

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_KINDS = [  # color type, channels, depths
    (0, 1, (1, 2, 4, 8, 16)),
    (2, 3, (8, 16)),
    (3, 1, (1, 2, 4, 8)),
    (4, 2, (8, 16)),
    (6, 4, (8, 16)),
]
_WHOLE = [(0, 0, 1, 1)]  # first column and row of a pass, steps to the next
_ADAM7 = [
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
]
_COMMAND_LINES = [
    "run a.pt images -o out --batch 2",
    "bench a.pt2 images --batch 1,2,32 --json report.json --limit 3 --warmup 1",
    "worker a.pt images --device cuda:1 --threads 2 --workers 3 --stride 16",
    "a.pt images --output out --scores",
    "--help",
]
_VARIANT = """\
algorithm_kwargs: {batch_size: 8, epochs: !!python/tuple [64, 1]}
net_kwargs:
  backbone: vit_tiny_patch16_384
  d_model: 192
  decoder: {name: mask_transformer, n_layers: 2}
  distilled: false
  image_size: !!python/tuple [512, 512]
  n_cls: 150
  n_heads: 3
  n_layers: 12
  normalization: &kind vit
  patch_size: 16
other: *kind
"""
# The first test of RFC 8032: its key, and its signature of no bytes. cpp/trust_target.hpp has them
# too.
PUBLIC_KEY = b"""\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
"""
SIGNATURE_OF_NOTHING = b"""\
{"algorithm": "ed25519",
 "key": "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9",
 "signature": "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc\
61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"}
"""


def png_chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def payload_sha256(records: Records) -> str:
    """Hash an artifact's records as docs/formats/artifact.md says."""
    digest = hashlib.sha256()
    for name, content in sorted(records):
        if name not in (MANIFEST, SIGNATURE):
            digest.update(name.encode() + b"\0" + len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def pack(records: Records, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of records under one top folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in records:
            archive.writestr(zipfile.ZipInfo(f"{TOP_FOLDER}/{name}"), content, method)
    return file.getvalue()


def pack_manifest(manifest: bytes) -> bytes:
    """Return an artifact that is a manifest and "version", the record whose hash seeds name."""
    return pack([*_PAYLOAD, (MANIFEST, manifest)])


_PAYLOAD: Records = [("version", b"3\n")]


def _pictures() -> Iterator[Image.Image]:
    noise = Random(7)
    for width, height in ((32, 32), (17, 23), (8, 8)):
        coarse = Image.frombytes("RGB", (4, 4), noise.randbytes(48))
        yield coarse.resize((width, height), Image.Resampling.BICUBIC)


def _jpeg(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def _jpegs() -> Iterator[bytes]:
    """Every mode, way of sampling, order of scans and restart, and some metadata."""
    for picture, progressive in itertools.product(_pictures(), (False, True)):
        for mode, sampling in (("L", 0), ("CMYK", 0), ("RGB", 0), ("RGB", 1), ("RGB", 2)):
            made = picture.convert(mode)
            yield _jpeg(made, progressive=progressive, subsampling=sampling, quality=60)
        yield _jpeg(picture, progressive=progressive, restart_marker_blocks=1, optimize=True)
    square = next(_pictures())
    # What Pillow does not write has as many blocks, in another order: 4:4:0 as 4:2:2 has, and
    # 4:1:1 as 4:2:0.
    for progressive, (sampling, stored, named) in itertools.product(
        (False, True), ((1, b"\x01\x21\0", b"\x01\x12\0"), (2, b"\x01\x22\0", b"\x01\x41\0"))
    ):
        data = _jpeg(square, progressive=progressive, subsampling=sampling)
        yield data.replace(stored, named, 1)
    for tiff in _exifs():
        yield _jpeg(square, exif=b"Exif\0\0" + tiff, comment=b"hello", icc_profile=b"none")
    plain = _jpeg(square)
    yield plain[:-2]
    yield plain + bytes(40) + plain


def _png(width: int, height: int, color: int, channels: int, depth: int, interlaced: int) -> bytes:
    noise = Random(width * depth + color)
    rows = b""
    for left, top, across, down in _ADAM7 if interlaced else _WHOLE:
        columns = len(range(left, width, across))
        for _ in range(top, height, down) if columns else ():
            rows += bytes([noise.randrange(5)])
            rows += noise.randbytes(-(-columns * channels * depth // 8))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    palette = png_chunk(b"PLTE", noise.randbytes(3 * 2**depth)) if color == 3 else b""
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    return _PNG_MAGIC + png_chunk(b"IHDR", header) + palette + pixels + png_chunk(b"IEND", b"")


def _pngs() -> Iterator[bytes]:
    """Every color type, depth and interlacing, and every optional chunk that means something."""
    for (color, channels, depths), interlaced in itertools.product(_PNG_KINDS, (0, 1)):
        for depth, size in itertools.product(depths, ((8, 8), (5, 3))):
            yield _png(*size, color, channels, depth, interlaced)
    plain = _png(8, 8, 2, 3, 8, 0)
    header, rest = plain[:33], plain[33:]
    for tiff in _exifs():
        yield header + png_chunk(b"eXIf", tiff) + rest
    packed = zlib.compress(bytes(1000))
    for name, data in (
        *((b"tRNS", bytes(6)), (b"gAMA", bytes([0, 0, 0, 10])), (b"zTXt", b"k\0\0" + packed)),
        *((b"iCCP", b"k\0\0" + packed), (b"acTL", bytes(8)), (b"tEXt", b"k\0v")),
    ):
        yield header + png_chunk(name, data) + rest
    pixels, end = rest[8:-16], rest[-12:]
    for parts in ((pixels[:20], pixels[20:]), (b"", pixels), (pixels, b"")):
        yield header + b"".join(png_chunk(b"IDAT", part) for part in parts) + end


def _exifs() -> Iterator[bytes]:
    """A TIFF header and a directory of two tags, the orientation among them."""
    for orientation, order in itertools.product(range(1, 9), "<>"):
        magic = b"II*\0" if order == "<" else b"MM\0*"
        entries = struct.pack(
            f"{order}IHHHIIHHIHHI", 8, 2, 0x0100, 4, 1, 9, 0x0112, 3, 1, orientation, 0, 0
        )
        yield magic + entries


def _manifests() -> Iterator[bytes]:
    """Every optional part, there and not; each names the hash of `pack_manifest`'s payload."""
    slide = dataclasses.replace(
        toy.MANIFEST.input, fit="slide", stride=8, short_side=40, max_ratio=4.5
    )
    slide_evenly = dataclasses.replace(toy.MANIFEST.input, fit="slide_evenly")
    scores, *others = toy.MANIFEST.outputs
    needs = dataclasses.replace(
        toy.MANIFEST.requires,
        machine="x86_64",
        cpu_isa=("avx2", "fma"),
        cuda_capability=(9, 0),
        details={"kernels": [1, 2]},
    )
    for changes in (
        {},
        {"input": slide},
        {"input": slide_evenly},
        {"outputs": (dataclasses.replace(scores, kind="probabilities"), *others)},
        {"requires": needs},
        {"recipe": {"a": {"b": [1.5, None]}}},
    ):
        manifest = dataclasses.replace(
            toy.MANIFEST, payload_sha256=payload_sha256(_PAYLOAD), **changes
        )
        yield json.dumps(manifest.to_dict()).encode()
    yield json.dumps(toy.MANIFEST.to_dict(), indent=1).replace(FORMAT, FORMAT_1).encode()


def _archives() -> Iterator[bytes]:
    """As this package writes them, and packed in every way that a zip knows."""
    payload = [("version", b"3\n"), ("data.pkl", b"not really"), ("code/model.py", b"nor this")]
    image = torch.zeros(3, toy.HEIGHT, toy.WIDTH, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "payload", Path(folder) / "toy.pt"
        source.write_bytes(pack(payload))
        write_artifact(source, target, toy.MANIFEST, image, image[0])
        yield target.read_bytes()
        with zipfile.ZipFile(target) as archive:
            names = archive.namelist()
            records = [(name.partition("/")[2], archive.read(name)) for name in names]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield pack(records, method)
    yield pack([*records, (SIGNATURE, b"{}")])


def _configs() -> Iterator[bytes]:
    """As transformers writes them, with and without what only some models have."""
    small = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
    for more in (
        {"model_type": "dinov2", "image_size": 518, "patch_size": 14, "mlp_ratio": 4},
        {"model_type": "dinov3_vit", "image_size": [224, 448], "num_register_tokens": 4},
        {"model_type": "eomt", "num_queries": 100, "id2label": {"0": "wall", "1": "sky"}},
        {"model_type": "eomt_dinov3", "rope_parameters": {"rope_theta": 100.0}},
    ):
        yield json.dumps(small | more).encode()


def _recipes() -> Iterator[bytes]:
    for path in sorted((ROOT / "recipes").glob("*.toml")):
        yield path.read_bytes()


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "jpeg": _jpegs,
    "png": _pngs,
    "exif": _exifs,
    "manifest": _manifests,
    "archive": _archives,
    "trust": lambda: iter([SIGNATURE_OF_NOTHING, PUBLIC_KEY]),
    "recipe": _recipes,
    "config": _configs,
    "variant": lambda: iter([_VARIANT.encode()]),
    "arguments": lambda: ("\n".join(line.split()).encode() for line in _COMMAND_LINES),
}


def make_corpus(folder: Path) -> None:
    """Write every seed to ``folder/FORMAT/NUMBER``."""
    for name, seeds in SEEDS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(seeds()):
            (folder / name / f"{number:03}").write_bytes(data)


if __name__ == "__main__":
    make_corpus(Path(sys.argv[1]))
