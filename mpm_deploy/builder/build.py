"""Build an artifact from a recipe.

recipe ─▶ model with its weights ─▶ backend compiles ─▶ verified against the eager model ─▶ file
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

import mpm_deploy
from mpm_deploy.artifact import (
    FORMAT,
    Agreement,
    BatchRange,
    CreatedBy,
    InputInfo,
    Manifest,
    MergeInfo,
    ModelInfo,
    OutputInfo,
    Requires,
    WeightsOrigin,
    write_artifact,
)
from mpm_deploy.backends import Backend, Compiled, OpenArtifact, Program
from mpm_deploy.backends.eager import EagerProgram
from mpm_deploy.builder.recipes import as_recipe
from mpm_deploy.builder.verify import (
    check_accuracy,
    check_agreement,
    check_photos,
    measure_agreement,
    photos_in,
    verification_images,
)
from mpm_deploy.datasets import Dataset, open_dataset
from mpm_deploy.datasets.classes import check_classes
from mpm_deploy.errors import InputError, RecipeError
from mpm_deploy.images.decode import find_images
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.heads import Head
from mpm_deploy.models.own import OwnModel
from mpm_deploy.models.quantized import quantize
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.classes import numbered_classes
from mpm_deploy.models.weights.files import (
    head_of,
    load_encoder_into,
    load_into,
    read_weights,
)
from mpm_deploy.models.weights.info import GIVEN, RANDOM, WeightsInfo, random_weights
from mpm_deploy.models.zoo import create, find_model
from mpm_deploy.recipe import BackendRecipe, MergeRecipe, ModelRecipe, Recipe
from mpm_deploy.recipe.model_names import parts_of
from mpm_deploy.support.files import check_can_write
from mpm_deploy.support.processor import multiplies_in_bfloat16
from mpm_deploy.support.refusal import refusals_told
from mpm_deploy.support.schema import to_mapping
from mpm_deploy.support.temporary_folder import check_temporary_folder, temporary_folder

_CALIBRATION_IMAGES = 8
_CALIBRATION_PHOTOS = 64  # at most
_ROOM_A_PARAMETER = 8  # bytes: in float32, once as it is compiled and once as it is packed


@refusals_told()
def build(
    recipe: Recipe | str | Path,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
    model: OwnModel | None = None,
) -> Path:
    """Build an artifact; it appears whole and verified, or not at all.

    Args:
        recipe: What to build: a recipe; the name of a built-in one, as ``"cpu_fp32"``; a ``.toml``
            file; or an artifact, which holds the recipe that it was built of.
        output: The file; None is ``segmenter.pt`` or ``segmenter.pt2`` in the current folder.
        progress: Called with the name of each step as it begins.
        model: A model of your own, in place of the recipe's ``[model]`` table.

    Returns:
        The artifact's path.

    Raises:
        RecipeError: There is no such recipe, or it does not fit its weights.
        InputError: The file cannot be written, or a folder of the recipe holds no photos, which is
            found before anything is made; the model's classes are not the data set's; or ``model``
            is no `OwnModel`.
        DatasetError: The recipe's data set is none, or one of its label maps.
        ModelError: The weights cannot be used, or the parts of your own model do not fit.
        BuildError: This machine cannot build it.
        AgreementError: The compiled model disagrees with the eager one, or on the recipe's photos
            with that in float32, or loses mIoU to it on the recipe's data set.
        HostError: Memory or room is short, or no code may run from the temporary folder.
    """
    say = progress or (lambda _: None)
    recipe = as_recipe(recipe)
    if model is not None:
        recipe = replace(recipe, model=ModelRecipe(weights=GIVEN))
    backend: Backend = recipe.backend.member
    for photos in filter(None, (recipe.backend.calibration, recipe.verify.photos)):
        find_images(photos)
    dataset = open_dataset(recipe.verify.dataset) if recipe.verify.dataset else None
    backend.check(recipe)
    target = Path(output) if output is not None else Path(f"segmenter{backend.suffix}")
    check_can_write(target, begins=b"PK")

    say("making the model")
    segmenter, weights = make_model(recipe, model)
    if dataset is not None:
        check_classes(target, weights.classes, dataset)
    check_temporary_folder(_ROOM_A_PARAMETER * _count_parameters(segmenter))
    with temporary_folder() as folder:
        payload = folder / f"segmenter{backend.suffix}"
        say(f"compiling with {backend.name}")
        compiled = backend.compile(segmenter, recipe, payload)
        manifest = _describe(recipe, segmenter, weights, compiled)

        say(f"comparing with the eager model on {recipe.verify.images} images")
        program = backend.load(payload, manifest, torch.device(recipe.backend.device))
        _check_against_float32(recipe, model, program, dataset)
        _write_verified(program, segmenter, recipe, manifest, payload, target)
    return target


def open_eager(recipe: Recipe) -> OpenArtifact:
    """Open a recipe's model for a `Runner` without compiling it: at once, but slow.

    Its manifest is like the one that a build would give, without what only a build knows: the
    agreement, the hash, and what the file needs of a processor.

    Raises:
        RecipeError: The recipe and its weights do not fit.
        ModelError: The weights cannot be used.
    """
    model, weights = make_model(recipe)
    wanted = recipe.backend
    versions = {"torch": str(torch.__version__)}
    requires = Requires(
        backend=wanted.name,
        device=wanted.device,
        dtype=wanted.dtype,
        versions=versions,
        machine=wanted.machine,
        cpu_isa=(),
        cuda_capability=None,
        details={},
    )
    at_once = 1 if wanted.device == "cpu" else wanted.max_batch  # images go side by side on a CPU
    compiled = Compiled(requires, BatchRange(1, at_once))
    manifest = _describe(recipe, model, weights, compiled)
    return OpenArtifact(manifest, EagerProgram(model, manifest))


def make_model(recipe: Recipe, own: OwnModel | None = None) -> tuple[Segmenter, WeightsInfo]:
    """Make a recipe's eager model, on its device and in its dtype, and describe its weights.

    Args:
        recipe: The recipe.
        own: The model that stands in place of its ``[model]`` table, if one does.

    Raises:
        RecipeError: The recipe does not fit its weights, or its model was given in Python and is
            not given now.
        InputError: ``own`` is no `OwnModel`.
        ModelError: The weights cannot be used, or the parts of ``own`` do not fit.
    """
    if not isinstance(own, OwnModel | None):
        raise InputError(
            f"model: expected an OwnModel, got {type(own).__name__}",
            "mpm_deploy.models.OwnModel(vit, GridHead(head), classes=..., mean=..., std=...)",
        )
    model, weights = _make_named(recipe) if own is None else own.make(recipe.merge)
    _check_no_gaps(completed(recipe, weights), model.image_size)
    return _in_dtype(model.to(recipe.backend.device), recipe.backend), weights


def _in_dtype(model: Segmenter, wanted: BackendRecipe) -> Segmenter:
    """Have a model compute in the type of a recipe: all of it, or in int8 its blocks' layers."""
    if wanted.dtype != "int8":
        return model.compute_in(getattr(torch, wanted.dtype))
    rest = torch.bfloat16 if multiplies_in_bfloat16() else torch.float32
    return quantize(model, _calibration_images(wanted.calibration, model.image_size), rest)


def _calibration_images(folder: str | None, size: tuple[int, int]) -> Iterable[Tensor]:
    """Return images ``(1, 3, H, W)`` uint8 on which ranges are measured: photos, or made up."""
    if folder is None:
        made_up: tuple[Tensor, ...] = verification_images(_CALIBRATION_IMAGES, size).split(1)
        return made_up
    return islice(photos_in(folder, size), _CALIBRATION_PHOTOS)


def _make_named(recipe: Recipe) -> tuple[Segmenter, WeightsInfo]:
    """Make the model of a recipe's ``[model]`` table."""
    wanted = recipe.model
    tensors, weights = _weights_of(recipe)
    recipe = completed(recipe, weights)
    model = create(
        weights.model,
        classes=len(weights.classes),
        image_size=wanted.image_size or weights.image_size,
        pad=recipe.input.pad,
        blocks=recipe.merge.blocks,
        method=recipe.merge.member,
        head=_head_of(recipe, weights),
        reconstruct=recipe.merge.reconstruct,
        mean=weights.mean,
        std=weights.std,
    )
    if weights.origin != RANDOM:
        load_into(model, tensors, weights.origin, weights.image_size)
    elif tensors:
        load_encoder_into(model, tensors, wanted.weights, weights.image_size)
    return model, weights


def completed(recipe: Recipe, weights: WeightsInfo) -> Recipe:
    """Return the recipe with an input table that says what its weights were tested with."""
    return replace(recipe, input=recipe.input.completed(weights.tested_input))


def _weights_of(recipe: Recipe) -> tuple[dict[str, Tensor], WeightsInfo]:
    wanted = recipe.model
    if wanted.weights == GIVEN:
        raise RecipeError(
            f"recipe {recipe.name!r}: model.weights: expected weights that a file holds, got those "
            "of a model that was given in Python",
            "build it where that model is: mpm_deploy.build(recipe, output, model=OwnModel(...)), "
            "as docs/guides/your-model.md shows; or name others: --weights FILE",
        )
    if wanted.weights == "random":
        return {}, random_weights(wanted.full_name, wanted.image_size, wanted.classes)
    tensors, weights = read_weights(wanted.weights, wanted.full_name)
    if weights.origin == RANDOM:
        weights = _with_head_of(wanted, weights)
    _check_weights_fit(recipe, weights)
    return tensors, weights


def _with_head_of(wanted: ModelRecipe, weights: WeightsInfo) -> WeightsInfo:
    """Describe weights with the head that a recipe wants, for an encoder that has none.

    A head that is drawn at random may be of any kind, for any number of classes, and the backbone
    may be the one with other patches, to which they are resampled.
    """
    names, palette = numbered_classes(wanted.classes or len(weights.classes))
    name = weights.model
    if wanted.full_name and _but_for_patches(wanted.full_name) == _but_for_patches(name):
        name = wanted.full_name
    return replace(weights, model=name, classes=names, palette=palette)


def _but_for_patches(model: str) -> str:
    """Return the name of a model's backbone without the size of its patches, and timm's tag."""
    backbone = find_model(model).backbone.partition(".")[0]
    return re.sub(r"_patch\d+", "_patch", backbone)


def _check_weights_fit(recipe: Recipe, weights: WeightsInfo) -> None:
    wanted = recipe.model
    if wanted.full_name not in (None, weights.model):
        raise RecipeError(
            f"recipe {recipe.name!r}: model.name: expected {weights.model!r}, which the weights "
            f"{wanted.weights!r} are for, got {wanted.full_name!r}",
            f"leave model.name out or say --model {weights.model}; or other weights: --weights "
            "FILE, or --weights random for speed only",
        )
    if wanted.classes not in (None, len(weights.classes)):
        raise RecipeError(
            f"recipe {recipe.name!r}: model.classes: expected {len(weights.classes)}, which the "
            f"weights {wanted.weights!r} have, got {wanted.classes}",
            "leave model.classes out",
        )


def _head_of(recipe: Recipe, weights: WeightsInfo) -> Head | None:
    """Return the head with the options that the weights were trained with.

    A recipe may say them again; an option at its default counts as left out. A head that is drawn
    at random is the recipe's.
    """
    wanted: Any = recipe.model.member
    if weights.origin == RANDOM:
        return cast(Head | None, wanted)
    trained: Any = head_of(weights)
    for option in fields(trained) if wanted else ():
        said, fitting = getattr(wanted, option.name), getattr(trained, option.name)
        if said not in (option.default, fitting):
            raise RecipeError(
                f"recipe {recipe.name!r}: model.{option.name}: expected {fitting}, which the "
                f"weights {recipe.model.weights!r} have, got {said}",
                f"leave model.{option.name} out",
            )
    return cast(Head, trained)


def _check_no_gaps(recipe: Recipe, window: tuple[int, int]) -> None:
    stride = recipe.input.stride
    if stride is not None and stride > min(window):
        raise RecipeError(
            f"recipe {recipe.name!r}: input.stride: expected at most {min(window)}, the shorter "
            f"side of a window of {window[0]} x {window[1]}, got {stride}",
            "larger strides leave gaps between the windows: set input.fit to 'slide', and a stride",
        )


def _check_against_float32(
    recipe: Recipe, own: OwnModel | None, program: Program, dataset: Dataset | None
) -> None:
    """Compare with the model in float32, where the recipe names photos or a data set for it."""
    verify = recipe.verify
    if verify.photos is None and dataset is None:
        return
    plain = replace(recipe.backend, dtype="float32", calibration=None)
    reference, _ = make_model(replace(recipe, backend=plain), own)
    if verify.photos is not None:
        photos = photos_in(verify.photos, reference.image_size)
        check_photos(reference, program, photos, verify.photo_labels)
    if dataset is not None:
        check_accuracy(reference, program, dataset, verify.miou_lost)


def _write_verified(
    program: Program,
    model: Segmenter,
    recipe: Recipe,
    manifest: Manifest,
    payload: Path,
    target: Path,
) -> None:
    images = verification_images(recipe.verify.images, model.image_size)
    agreement = measure_agreement(model, program, images)
    check_agreement(agreement, recipe.verify)
    scores, _ = program.scores(images[:1].to(program.device))
    labels = program.labels(scores, model.image_size)
    write_artifact(
        payload, target, replace(manifest, agreement=agreement), images[0], labels[0].cpu()
    )


def _describe(
    recipe: Recipe, model: Segmenter, weights: WeightsInfo, compiled: Compiled
) -> Manifest:
    recipe, parts = completed(recipe, weights), parts_of(weights.model)
    encoder = model.encoder
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Manifest(
        format=FORMAT,
        created_by=CreatedBy(mpm_deploy.__version__, torch.__version__, now),
        recipe=recipe.to_dict(),
        model=ModelInfo(
            name=weights.model,
            backbone=parts.backbone,
            head=parts.head,
            parameters=_count_parameters(model),
            patch_size=encoder.patch_size,
            special_tokens=encoder.special_tokens,
            classes=weights.classes,
            palette=weights.palette,
        ),
        weights=WeightsOrigin(weights.origin, weights.sha256),
        input=_describe_input(recipe, model.image_size, weights),
        merge=_describe_merge(recipe.merge),
        outputs=_describe_outputs(model, len(weights.classes)),
        flops=count_flops(model),
        batch=compiled.batch,
        requires=compiled.requires,
        agreement=Agreement(images=0, labels=0.0, clusters=()),  # known once it is verified
        payload_sha256="",  # known once it is written
    )


def _count_parameters(model: Segmenter) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _describe_merge(merge: MergeRecipe) -> MergeInfo:
    return MergeInfo(
        method=merge.method,
        place=merge.member.place,
        blocks=merge.blocks,
        reconstruct=merge.reconstruct,
        options=to_mapping(merge.member),
        weights=None,  # no method of today has any
    )


def _describe_outputs(model: Segmenter, classes: int) -> tuple[OutputInfo, ...]:
    down, across = model.grid
    maps = (len(model.encoder.schedule), down * across)
    return (
        OutputInfo("scores", "float32", (classes, *model.score_grid), model.decoder.score_kind),
        OutputInfo("merge_maps", "int32", maps),
    )


def _describe_input(recipe: Recipe, window: tuple[int, int], weights: WeightsInfo) -> InputInfo:
    wanted = recipe.input
    info = InputInfo(*window, weights.mean, weights.std, wanted.fit or "resize")
    if wanted.fit != "slide":
        return info
    return replace(
        info,
        stride=wanted.stride or min(window),
        short_side=wanted.short_side or window[0],
        max_ratio=wanted.max_ratio or 4.0,
    )
