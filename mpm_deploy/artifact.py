"""The artifact: one file that holds a compiled model and says what it is.

    segmenter.pt | segmenter.pt2          a zip, as torch writes it, under one top folder
    └── <root>/
        ├── ...                           the payload: TorchScript or AOTInductor records
        ├── mpm/sample_image.u8           (3, H, W): an input to try it on
        ├── mpm/sample_labels.u8          (H, W): what it answered when it was built
        └── extra/mpm_manifest.json       this module's `Manifest`, with a hash over all the rest

`docs/artifact.md` is the written format. Nothing here loads what the payload holds.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from mpm_deploy.errors import ArtifactError
from mpm_deploy.files import written_atomically
from mpm_deploy.structure import StructureError, read_structure, to_mapping
from mpm_deploy.windows import LARGEST_RATIO, LARGEST_SIDE

FORMAT = "mpm-artifact/1"
MANIFEST = "extra/mpm_manifest.json"
SAMPLE_IMAGE = "mpm/sample_image.u8"
SAMPLE_LABELS = "mpm/sample_labels.u8"

_CHUNK = 1 << 20
_REBUILD = "copy the file again, or rebuild it: mpm-deploy build --recipe NAME"


@dataclass(frozen=True)
class CreatedBy:
    """The programs that made an artifact, and when (UTC, ISO 8601)."""

    mpm_deploy: str
    torch: str
    created: str


@dataclass(frozen=True)
class ModelInfo:
    """The model inside; ``palette`` is red, green, blue of each class."""

    name: str
    head: str
    parameters: int
    patch_size: int
    special_tokens: int
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class WeightsOrigin:
    """Where the weights came from: ``"demo"``, ``"random"`` or a file's name and its SHA-256."""

    origin: str
    sha256: str | None


@dataclass(frozen=True)
class InputInfo:
    """The input: pixels, and the normalisation that the artifact does itself (on 0..1).

    ``stride``, ``short_side`` and ``max_ratio`` are those of ``fit = "slide"``, None with
    ``"resize"``.
    """

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: Literal["resize", "slide"]
    stride: int | None = None
    short_side: int | None = None
    max_ratio: float | None = None


@dataclass(frozen=True)
class MergeInfo:
    """The merge schedule, 0-based; ``method = "none"`` is the full-token model.

    A method merges in front of those blocks, or inside them: ``docs/artifact.md`` says which.
    """

    method: str
    before_blocks: tuple[int, ...]
    reconstruct: str


@dataclass(frozen=True)
class StageFlops:
    """FLOPs of what runs on the tokens kept after one merge, as coefficients of t and t²."""

    linear: float
    quadratic: float


@dataclass(frozen=True)
class Flops:
    """FLOPs of one image by its tokens kept (a multiply-add counts 2)::

        constant + Σ over m of (stages[m].linear · t_m + stages[m].quadratic · t_m²)

    where ``t_0`` is the number of patches and ``t_m`` the tokens kept after merge m.
    """

    constant: float
    stages: tuple[StageFlops, ...]

    def total(self, tokens: Sequence[int]) -> float:
        """FLOPs at ``tokens = (t_0, t_1, ..., t_M)``."""
        stages = zip(self.stages, tokens, strict=True)
        return self.constant + sum((s.linear + s.quadratic * t) * t for s, t in stages)


@dataclass(frozen=True)
class BatchRange:
    """Images that one call of ``scores`` takes."""

    min: int
    max: int


@dataclass(frozen=True)
class Requires:
    """What a host must be. ``cpu_isa`` names flags of ``/proc/cpuinfo``, all of them needed."""

    backend: Literal["torchscript", "aotinductor"]
    device: Literal["cpu", "cuda"]
    dtype: Literal["float32", "bfloat16"]
    torch: str
    machine: str | None
    cpu_isa: tuple[str, ...]
    cuda_capability: tuple[int, int] | None


@dataclass(frozen=True)
class Agreement:
    """The artifact against the eager model on ``images`` images when it was built.

    ``labels`` is the share of equal labels, ``clusters`` after each merge the share of patches that
    share their token with the same patches.
    """

    images: int
    labels: float
    clusters: tuple[float, ...]


@dataclass(frozen=True)
class Manifest:
    """All that an artifact says of itself."""

    format: str
    created_by: CreatedBy
    recipe: dict[str, Any]
    model: ModelInfo
    weights: WeightsOrigin
    input: InputInfo
    merge: MergeInfo
    flops: Flops
    batch: BatchRange
    requires: Requires
    agreement: Agreement
    payload_sha256: str

    @property
    def patches(self) -> int:
        """Patches of an input, ``t_0``."""
        return (self.input.height // self.model.patch_size) * (
            self.input.width // self.model.patch_size
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping

    @classmethod
    def from_dict(cls, data: object, where: str = "manifest") -> "Manifest":
        """Read strictly.

        Raises:
            ArtifactError: Another format, or a key that is missing, unknown or of another type.
        """
        written = data.get("format") if isinstance(data, dict) else None
        if written != FORMAT:
            raise ArtifactError(
                f"{where}: expected format {FORMAT!r}, got {written!r}",
                "update this package, or rebuild the artifact with it: "
                "mpm-deploy build --recipe NAME",
            )
        try:
            manifest = read_structure(cls, data)
            _check_values(manifest)
            return manifest
        except StructureError as error:
            raise ArtifactError(f"{where}: manifest: {error}", _REBUILD) from error


def _check_values(manifest: Manifest) -> None:
    """What the types cannot say, and the runners rely on."""
    model, batch = manifest.model, manifest.batch
    merges = len(manifest.merge.before_blocks)
    for holds, key, expected in (
        (min(manifest.input.height, manifest.input.width) > 0, "input", "a size above zero"),
        *_window_checks(manifest.input),
        (model.patch_size > 0, "model.patch_size", "a size above zero"),
        (len(model.classes) > 0, "model.classes", "one class or more"),
        (len(model.palette) == len(model.classes), "model.palette", "one colour a class"),
        (1 <= batch.min <= batch.max, "batch", "1 <= min <= max"),
        (len(manifest.flops.stages) == merges + 1, "flops.stages", "one more than merges"),
    ):
        if not holds:
            raise StructureError(key, f"expected {expected}")


def _window_checks(input: InputInfo) -> Iterator[tuple[bool, str, str]]:
    """What must hold, its key, and what is expected of it."""
    if input.fit == "resize":
        for key in ("stride", "short_side", "max_ratio"):
            yield getattr(input, key) is None, f"input.{key}", "none with fit 'resize'"
        return
    largest = min(input.height, input.width)
    yield 1 <= (input.stride or 0) <= largest, "input.stride", "1 to a window's shorter side"
    yield 1 <= (input.short_side or 0) <= LARGEST_SIDE, "input.short_side", f"1 to {LARGEST_SIDE}"
    yield 1 <= (input.max_ratio or 0) <= LARGEST_RATIO, "input.max_ratio", f"1 to {LARGEST_RATIO}"


def read_manifest(path: Path | str) -> Manifest:
    """Read an artifact's manifest and check that the rest of the file is what it was.

    Raises:
        ArtifactError: No such file; not an artifact; truncated, changed, foreign or newer.
    """
    with _Archive(Path(path)) as archive:
        try:
            data = json.loads(archive.read(MANIFEST))
        except ValueError as error:
            raise ArtifactError(f"{path}: its manifest is not JSON: {error}", _REBUILD) from error
        manifest = Manifest.from_dict(data, where=str(path))
        if archive.payload_sha256() != manifest.payload_sha256:
            raise ArtifactError(f"{path}: changed since it was built: its hash differs", _REBUILD)
    return manifest


def read_sample(path: Path | str, manifest: Manifest) -> tuple[Tensor, Tensor]:
    """The stored sample: image ``(3, H, W)`` uint8, labels ``(H, W)`` of the label maps' type.

    Raises:
        ArtifactError: The file has no sample of its input's size.
    """
    height, width = manifest.input.height, manifest.input.width
    with _Archive(Path(path)) as archive:
        image, labels = archive.read(SAMPLE_IMAGE), archive.read(SAMPLE_LABELS)
    dtype = torch.uint8 if len(manifest.model.classes) <= 256 else torch.int16
    if len(image) != 3 * height * width or len(labels) != height * width * dtype.itemsize:
        raise ArtifactError(f"{path}: its sample is not of its input's size", _REBUILD)
    return (
        torch.frombuffer(bytearray(image), dtype=torch.uint8).view(3, height, width),
        torch.frombuffer(bytearray(labels), dtype=dtype).view(height, width),
    )


def write_artifact(
    payload: Path, target: Path, manifest: Manifest, sample_image: Tensor, sample_labels: Tensor
) -> None:
    """Make an artifact of a payload that torch wrote; ``target`` appears whole or not at all.

    Args:
        payload: The file to begin with; is left as it is.
        target: The artifact.
        manifest: Its ``payload_sha256`` is filled in here.
        sample_image: ``(3, H, W)`` uint8.
        sample_labels: ``(H, W)`` uint8, or int16 past 256 classes.
    """
    with written_atomically(target) as temporary:
        temporary.write_bytes(payload.read_bytes())
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as file:
            root = file.namelist()[0].split("/", 1)[0]
            file.writestr(f"{root}/{SAMPLE_IMAGE}", sample_image.contiguous().numpy().tobytes())
            file.writestr(f"{root}/{SAMPLE_LABELS}", sample_labels.contiguous().numpy().tobytes())
        with _Archive(temporary) as archive:
            manifest = replace(manifest, payload_sha256=archive.payload_sha256())
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as file:
            file.writestr(f"{root}/{MANIFEST}", json.dumps(manifest.to_dict(), indent=1))


class _Archive:
    """A zip whose records lie under one top folder; every fault becomes an `ArtifactError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> "_Archive":
        try:
            self._zip = zipfile.ZipFile(self._path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self._error("not an artifact, or cut short") from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ArtifactError(
                f"{self._path}: cannot be opened: {reason}", "name a .pt or .pt2 file"
            ) from error
        try:
            self._names = self._relative_names()
        except ArtifactError:
            self._zip.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """The bytes of one record, by its name without the top folder."""
        if name not in self._names:
            raise self._error(f"not an artifact of this package: it holds no {name}")
        return b"".join(self._chunks(name))

    def payload_sha256(self) -> str:
        """SHA-256 over every record but the manifest: its name, a 0, its size, its bytes."""
        digest = hashlib.sha256()
        for name in sorted(self._names, key=str.encode):
            if name != MANIFEST:
                size = self._zip.getinfo(self._names[name]).file_size
                digest.update(name.encode() + b"\0" + size.to_bytes(8, "little"))
                for chunk in self._chunks(name):
                    digest.update(chunk)
        return digest.hexdigest()

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(self._names[name]) as record:
                while chunk := record.read(_CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise self._error(f"damaged: record {name} cannot be read") from error

    def _relative_names(self) -> dict[str, str]:
        names = self._zip.namelist()
        relative = {name.partition("/")[2]: name for name in names}
        one_root = len({name.partition("/")[0] for name in names}) == 1
        if not one_root or len(relative) != len(names):
            raise self._error("not an artifact: its records do not lie under one folder")
        return relative

    def _error(self, problem: str) -> ArtifactError:
        return ArtifactError(f"{self._path}: {problem}", _REBUILD)
