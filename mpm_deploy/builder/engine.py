"""Make one more engine for an artifact of backend `tensorrt`, of the segments that are in it.

a.tensorrt.zip                   the same file, or another
  segments/          ──────────▶   segments/
  engines/...-8.6-.. ──────────▶   engines/...-8.6-..
              └─▶ TensorRT here ─▶ engines/...-9.0-..
  sample, manifest   ──────────▶   sample, manifest with one engine more, another hash
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from mpm_deploy.artifact import (
    Manifest,
    asked_trust,
    read_claimed_manifest,
    read_sample,
    write_artifact,
)
from mpm_deploy.backends import get_backend
from mpm_deploy.backends.devices import on
from mpm_deploy.backends.segments.files import SEGMENTS, pack, unpack
from mpm_deploy.backends.tensorrt.backend import check_named
from mpm_deploy.backends.tensorrt.engine_info import ENGINES, EngineInfo, engines_of, rows_of
from mpm_deploy.backends.tensorrt.engines import add_engines
from mpm_deploy.backends.tensorrt.flavors import (
    FLAVORS,
    Capability,
    Library,
    parse_capability,
    written,
)
from mpm_deploy.errors import AgreementError, BuildError, HostError, InputError, MpmError
from mpm_deploy.recipe import Recipe
from mpm_deploy.support.files import check_can_write
from mpm_deploy.support.refusal import refusal_in, refusals_told
from mpm_deploy.support.schema import to_mapping
from mpm_deploy.support.temporary_folder import check_temporary_folder, temporary_folder

_BACKEND = "tensorrt"
_DEVICE = "cuda:0"  # the GPU that an engine is made for where none is named
_COPIES = 3  # of the artifact, in the temporary folder at once


@dataclass(frozen=True)
class _Target:
    """The GPU that an engine is made for."""

    capability: Capability
    is_here: bool


@refusals_told()
def add_engine(
    artifact: Path | str,
    output: Path | str | None = None,
    *,
    capability: str | None = None,
    flavor: str | None = None,
    trust: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> EngineInfo:
    """Add an engine to an artifact, which changes as a whole or not at all.

    An engine that the file has for the same machine and version is replaced. A signature is left
    out: it is of another file.

    Args:
        artifact: A ``.tensorrt.zip``.
        output: Where the file with the engine is to lie; None is in place of the artifact.
        capability: That of the GPU that it is for, as ``"8.6"``, which the flavor must be able to
            name; None is the first GPU of this machine, on which the engine is then tried.
        flavor: What makes it, a name of `FLAVORS`; None is what the artifact's recipe names.
        trust: As `open_artifact` takes it.
        progress: Called with the name of each step as it begins.

    Returns:
        What was made.

    Raises:
        InputError: An artifact of another backend, no such flavor, no capability, or the file
            cannot be written.
        ArtifactError: The artifact is damaged, or not signed where that is asked.
        HostError: There is no GPU here, and none was named; or memory is short.
        MissingPackageError: The flavor is not installed.
        BuildError: It cannot name that GPU, refuses a segment, or does not run what it made.
        AgreementError: On this machine's GPU the engine gave other labels for the sample.
    """
    say = progress or (lambda _: None)
    path, target = Path(artifact), Path(output or artifact)
    manifest = read_claimed_manifest(path, asked_trust(trust))
    _check_backend(path, manifest)
    library = _library(manifest, flavor)
    wanted = _wanted(path, library, capability)
    engines, rows = engines_of(manifest, path), rows_of(manifest, path)
    check_can_write(target, begins=b"PK")
    check_temporary_folder(_COPIES * path.stat().st_size)

    with temporary_folder() as folder:
        content, payload = folder / "content", folder / "payload"
        inside = {SEGMENTS, *(each.folder for each in engines)}
        unpack(path, manifest.payload_sha256, inside, content)
        say(f"making an engine for capability {written(wanted.capability)} with {library.title}")
        made = _made(path, library, content, rows, wanted)
        pack(content, payload)
        if wanted.is_here:
            say("trying it on the sample")
            made = replace(made, agreement=_tried(payload, path, _with(manifest, [made]), library))
        kept = [each for each in engines if each.folder != made.folder]
        image, labels = read_sample(path, manifest)
        write_artifact(payload, target, _with(manifest, [*kept, made]), image, labels)
    return made


def _check_backend(path: Path, manifest: Manifest) -> None:
    if manifest.requires.backend != _BACKEND:
        raise InputError(
            f"{path}: expected an artifact of backend {_BACKEND!r}, which holds segments to make "
            f"engines of, got {manifest.requires.backend!r}",
            "build one: mpm-deploy build --recipe rtx_fp16, h100_tensorrt_bf16 or jetson_orin_fp16",
        )


def _library(manifest: Manifest, flavor: str | None) -> Library:
    name = flavor or Recipe.from_dict(manifest.recipe).backend.member.flavor
    if name not in FLAVORS:
        raise InputError(f"flavor: expected one of {', '.join(FLAVORS)}, got {name!r}")
    return FLAVORS[name].load()


def _wanted(path: Path, library: Library, named: str | None) -> _Target:
    """Return the GPU that an engine is made for: the one that was named, or this machine's."""
    if named is not None:
        capability = parse_capability(named)
        if capability is None:
            raise InputError(f"capability: expected one like '8.6', got {named!r}")
        check_named(library, [capability], str(path))
        return _Target(capability, is_here=False)
    if not torch.cuda.is_available():
        raise HostError(
            f"{path}: there is no GPU here to make an engine for: torch {torch.__version__} sees "
            "none",
            "run this on the machine of the GPU; or name one, which TensorRT for RTX can: "
            "--flavor tensorrt_rtx --capability 8.6",
        )
    return _Target(torch.cuda.get_device_capability(_DEVICE), is_here=True)


def _made(path: Path, library: Library, content: Path, rows: int, wanted: _Target) -> EngineInfo:
    where = on(torch.device(_DEVICE)) if wanted.is_here else nullcontext()
    try:
        with where:  # whose capability it is, whatever GPU is current
            return add_engines(library, content, rows, wanted.capability)
    except RuntimeError as error:
        raise refusal_in(error) or BuildError(
            f"{path}: {library.title} makes no engine for capability "
            f"{written(wanted.capability)}: {error}",
            "build the artifact with another backend.dtype, and please report it",
        ) from error


def _tried(payload: Path, path: Path, manifest: Manifest, library: Library) -> float:
    """Return the share of the sample's labels that the new engine gives on this machine's GPU."""
    image, expected = read_sample(path, manifest)
    try:
        labels = _labels_by(payload, manifest, image)
    except HostError as error:  # as where memory is short, which has its own cure
        raise HostError(_untried(path, payload, error), error.hint) from error
    except MpmError as error:
        raise BuildError(
            _untried(path, payload, error),
            f"take another version than {library.title}, or build the artifact with another "
            "backend.dtype, and please report it",
        ) from error
    share = (labels == expected).double().mean().item()
    least = Recipe.from_dict(manifest.recipe).verify.labels
    if share < least:
        raise AgreementError(
            f"{path}: on this GPU the engine gives {share:.5f} of the sample's labels (expected "
            f"{least}); nothing was written",
            "build the artifact with backend.dtype 'float32', and please report it",
        )
    return share


def _untried(path: Path, payload: Path, error: MpmError) -> str:
    """Say of the user's file what was said of a temporary one, which is gone by then."""
    reason = error.problem.removeprefix(f"{payload}: ")
    return f"{path}: the new engine cannot be tried, and nothing was written: {reason}"


def _labels_by(payload: Path, manifest: Manifest, image: Tensor) -> Tensor:
    """Give an image ``(3, H, W)`` uint8 its labels, ``(H, W)``, by the engines of a payload."""
    unhashed = replace(manifest, payload_sha256="")
    program = get_backend(_BACKEND).load(payload, unhashed, torch.device(_DEVICE))
    try:
        scores, _ = program.scores(image[None].to(program.device))
        return program.labels(scores, (image.shape[1], image.shape[2]))[0].cpu()
    finally:
        program.close()


def _with(manifest: Manifest, engines: list[EngineInfo]) -> Manifest:
    """Return a manifest that lists these engines."""
    listed = {ENGINES: [to_mapping(each) for each in engines]}
    details = {**manifest.requires.details, **listed}
    return replace(manifest, requires=replace(manifest.requires, details=details))
