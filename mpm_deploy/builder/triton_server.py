"""Write an artifact as a model of NVIDIA's Triton Inference Server.

    artifact ─▶ its recipe ─▶ model ─▶ one function ─▶ compared with the artifact ─▶ folder
                                                                                       │
    REPOSITORY/segmenter/                                                              ◀┘
    ├── 1/model.pt2        images in; labels, scores and merge maps out
    └── config.pbtxt       their names, types and shapes

The server's PyTorch backend knows one function a file, and an artifact has two. So this is a build:
it compiles the recipe anew, and verifies it. What the backend takes is said in its README
(github.com/triton-inference-server/pytorch_backend).
"""

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mpm_deploy.artifact import BatchRange, Manifest
from mpm_deploy.backends import Backend, Program, Servable, get_backend, open_artifact
from mpm_deploy.builder.model import make_model
from mpm_deploy.builder.verify import verification_images
from mpm_deploy.errors import AgreementError, InputError, RecipeError
from mpm_deploy.models.own import OwnModel
from mpm_deploy.models.weights.info import GIVEN
from mpm_deploy.recipe import Recipe
from mpm_deploy.support.files import folder_written_atomically, make_folder
from mpm_deploy.support.refusal import refusals_told
from mpm_deploy.support.temporary_folder import temporary_folder

# What loads a file of that suffix, and how.
_LOADERS = {
    ".pt2": ['platform: "torch_aoti"'],
    ".pt": [
        'platform: "pytorch_libtorch"',
        # else it compiles anew for each number of tokens
        'parameters { key: "ENABLE_JIT_PROFILING" value { string_value: "false" } }',
    ],
}
_TYPES = {
    torch.uint8: "TYPE_UINT8",
    torch.int16: "TYPE_INT16",
    torch.int32: "TYPE_INT32",
    torch.float32: "TYPE_FP32",
}


@dataclass(frozen=True)
class ServedModel:
    """A model in a repository of the server.

    Attributes:
        folder: The model's folder.
        torch: The torch that it was compiled with.
        labels: The share of labels equal to the artifact's.
        images: How many images these were of.
    """

    folder: Path
    torch: str
    labels: float
    images: int


@refusals_told()
def export_to_triton(
    artifact: Path | str,
    repository: Path | str,
    name: str | None = None,
    progress: Callable[[str], None] | None = None,
    model: OwnModel | None = None,
    trust: Path | str | None = None,
) -> ServedModel:
    """Add an artifact to a model repository; its folder appears whole and verified, or not at all.

    Args:
        artifact: A ``.pt2``, or a ``.pt``.
        repository: The folder of the server's models; made if it is not there.
        name: The model's name; None is that of the artifact's file.
        progress: Called with the name of each step as it begins.
        model: The model that was given to `build`, where the artifact was built of one.
        trust: Who may have signed the artifact, as for a `Runner`: it is run here.

    Raises:
        ArtifactError: It cannot be opened.
        InputError: The repository cannot be written, or has a model of that name.
        RecipeError: The artifact was built of a model that is not given now.
        ModelError: Its weights cannot be read any more.
        BuildError: This machine cannot build it.
        AgreementError: What was compiled gives other labels than the artifact.
        HostError: Memory or room is short.
    """
    say = progress or (lambda _: None)
    artifact = Path(artifact)
    target = _target(Path(repository), artifact.stem if name is None else name)
    manifest, program = open_artifact(artifact, trust=trust)
    with closing(program), temporary_folder() as folder:
        recipe = Recipe.from_dict(manifest.recipe)
        _check_is_given(artifact, recipe, model)
        backend: Backend = recipe.backend.member
        backend.check(recipe)
        make_folder(target.parent)
        say("making the model")
        segmenter, _ = make_model(recipe, model)

        payload = folder / f"model{backend.suffix}"
        say(f"compiling with {backend.name}")
        servable = backend.compile_servable(segmenter, recipe, payload)

        say(f"comparing with the artifact on {recipe.verify.images} images")
        images = verification_images(recipe.verify.images, segmenter.image_size)
        with torch.inference_mode():
            labels = _share_of_equal_labels(program, servable, images, manifest.batch)
            tensors = _tensors_of(servable, images[:1].to(program.device))
        _check_labels(artifact, labels, recipe)
        _write(target, payload, _config(target.name, manifest, tensors))
    return ServedModel(target, str(torch.__version__), labels, len(images))


def _target(repository: Path, name: str) -> Path:
    """Return the folder of a new model in a repository."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise InputError(
            f"name: expected letters, digits, '_', '-' and '.', got {name!r}", "give one: --name"
        )
    target = repository / name
    if target.exists():
        raise InputError(
            f"{target}: expected no model of that name, found one",
            "remove it, or give another name: --name",
        )
    return target


def _check_is_given(artifact: Path, recipe: Recipe, model: OwnModel | None) -> None:
    if recipe.model.weights == GIVEN and model is None:
        raise RecipeError(
            f"{artifact}: its model was given in Python, and has to be given again",
            "mpm_deploy.builder.triton_server.export_to_triton(artifact, repository, model=...)",
        )


def _share_of_equal_labels(
    program: Program, servable: Servable, images: Tensor, batch: BatchRange
) -> float:
    """Compare labels with the artifact's, image by image and in the largest batches.

    Args:
        program: The artifact.
        servable: What is compared with it.
        images: ``(B, 3, H, W)`` uint8.
        batch: How many images either takes at once.
    """
    size = (images.shape[2], images.shape[3])
    equal = [
        servable(part)[0] == program.labels(program.scores(part)[0], size)  # (b, H, W)
        for most in {1, batch.max}
        for part in images.to(program.device).split(most)
    ]
    return torch.cat(equal).double().mean().item()


def _check_labels(artifact: Path, labels: float, recipe: Recipe) -> None:
    if labels < recipe.verify.labels:
        raise AgreementError(
            f"{artifact}: compiled anew it gives other labels: {labels:.5f} of them are equal on "
            f"{recipe.verify.images} images (expected {recipe.verify.labels}); nothing was written",
            "its weights may have changed since it was built: build it anew, and export that",
        )


def _tensors_of(servable: Servable, images: Tensor) -> dict[str, Tensor]:
    """Return what goes in and comes out for an image ``(1, 3, H, W)``, by the server's names.

    The server takes no tensor without numbers, as merge maps are where nothing merges.
    """
    outputs = {f"OUTPUT__{index}": tensor for index, tensor in enumerate(servable(images))}
    return {"INPUT__0": images, **{k: tensor for k, tensor in outputs.items() if tensor.numel()}}


def _config(name: str, manifest: Manifest, tensors: Mapping[str, Tensor]) -> str:
    """Write the model's configuration, a ``ModelConfig`` in protobuf's text format.

    The server batches nothing, as its backend cannot yet with AOTInductor: the first axis of each
    tensor is the caller's.
    """
    most = 1 if manifest.batch.max == 1 else -1  # any
    kind = "KIND_GPU" if manifest.requires.device == "cuda" else "KIND_CPU"
    lines = [
        f'name: "{name}"',
        'backend: "pytorch"',
        *_LOADERS[get_backend(manifest.requires.backend).suffix],
        "max_batch_size: 0",
        *(_described(each, tensor, most) for each, tensor in tensors.items()),
        f"instance_group [ {{ kind: {kind} count: 1 }} ]",
    ]
    return "".join(f"{line}\n" for line in lines)


def _described(name: str, tensor: Tensor, most: int) -> str:
    side = name.partition("__")[0].lower()
    dims = ", ".join(map(str, (most, *tensor.shape[1:])))
    return f'{side} [ {{ name: "{name}" data_type: {_TYPES[tensor.dtype]} dims: [ {dims} ] }} ]'


def _write(target: Path, payload: Path, config: str) -> None:
    with folder_written_atomically(target) as folder:
        (folder / "1").mkdir()  # the model's version
        shutil.copyfile(payload, folder / "1" / payload.name)
        (folder / "config.pbtxt").write_text(config)
