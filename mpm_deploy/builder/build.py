"""Build an artifact from a recipe.

recipe ─▶ model with its weights ─▶ backend compiles ─▶ verified against the eager model ─▶ file
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from mpm_deploy.artifact import BatchRange, Manifest, Requires, write_artifact
from mpm_deploy.backends import Backend, Compiled, OpenArtifact, Program
from mpm_deploy.backends.devices import with_index
from mpm_deploy.backends.eager import EagerProgram
from mpm_deploy.builder.manifest import count_parameters, describe
from mpm_deploy.builder.model import make_model
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
from mpm_deploy.images.decode import find_images
from mpm_deploy.models.own import OwnModel
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.info import GIVEN
from mpm_deploy.recipe import ModelRecipe, Recipe
from mpm_deploy.support.files import check_can_write
from mpm_deploy.support.refusal import refusals_told
from mpm_deploy.support.temporary_folder import check_temporary_folder, temporary_folder

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
        output: The file; None is ``segmenter`` and the backend's suffix, here.
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
    check_temporary_folder(_ROOM_A_PARAMETER * count_parameters(segmenter))
    with temporary_folder() as folder:
        payload = folder / f"segmenter{backend.suffix}"
        say(f"compiling with {backend.name}")
        compiled = backend.compile(segmenter, recipe, payload)
        manifest = describe(recipe, segmenter, weights, compiled)

        say(f"comparing with the eager model on {recipe.verify.images} images")
        device = with_index(torch.device(recipe.backend.builds_on))
        program = backend.load(payload, manifest, device)
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
        device=wanted.builds_on,
        dtype=wanted.dtype,
        versions=versions,
        machine=wanted.machine,
        cpu_isa=(),
        cuda_capability=None,
        details={},
    )
    # Images go side by side on a CPU.
    at_once = 1 if wanted.builds_on == "cpu" else wanted.max_batch
    compiled = Compiled(requires, BatchRange(1, at_once))
    manifest = describe(recipe, model, weights, compiled)
    return OpenArtifact(manifest, EagerProgram(model, manifest))


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
