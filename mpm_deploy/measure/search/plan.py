"""Plans what a sweep and an advice measure, and sweeps.

recipe, methods × schedules, data ─▶ plan ─┬─▶ sweep: those worth a build, a row each
                                           └─▶ advise: of these the ones that may be best

A plan is checked as far as possible before anything is built.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mpm_deploy.artifact.trust import SYSTEM_KEYS, VARIABLE, asked_trust
from mpm_deploy.builder.model import completed, make_model
from mpm_deploy.builder.recipes import as_recipe
from mpm_deploy.datasets import Dataset, open_dataset
from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import has_images
from mpm_deploy.measure.search.own_labels import label_images
from mpm_deploy.measure.search.settings import BUILDS, Settings
from mpm_deploy.measure.search.sweep import Sweep, SweepRow, Truth, write_csv
from mpm_deploy.measure.search.sweeper import Say, Sweeper, full_token_artifact
from mpm_deploy.measure.search.variants import Schedule, all_variants, cures_of_a_sweep
from mpm_deploy.recipe import MergeRecipe, Recipe
from mpm_deploy.support.files import make_folder
from mpm_deploy.support.numbers import whole_number


@dataclass(frozen=True)
class Plan:
    """The variants to measure, and what measures them; the full-token model is measured already."""

    variants: list[MergeRecipe]
    sweeper: Sweeper


def make_plan(
    recipe: Recipe | str | Path,
    dataset: Dataset | str | Path,
    *,
    root: str | Path | None = None,
    methods: Sequence[str] = ("mpm",),
    schedules: Sequence[Schedule] = (),
    output: str | Path = "sweep",
    settings: Settings,
    progress: Callable[[str], None] | None = None,
) -> Plan:
    """Check what is asked for, and measure the full-token model unless that is done.

    Args:
        recipe: As `sweep` takes it, as all that is not named here.
        dataset: Images with label maps, or without.
        output: A folder that keeps every row; where it has some already they are not measured
            again.
        settings: How every artifact is measured.

    Raises:
        InputError: Trust is asked, and what a build makes is not signed.
        MpmError: Something cannot be built or measured; it is found before hours are lost.
    """
    _check_no_trust_is_asked()
    say: Say = progress or (lambda _: None)
    recipe, output = as_recipe(recipe), Path(output)
    model, weights = make_model(recipe.full_token())
    recipe = completed(recipe, weights)
    variants = all_variants(recipe, len(model.encoder.blocks), methods, schedules)
    _check_each_method(recipe, variants)
    make_folder(output)
    opened, truth = _open_dataset(recipe, weights.sha256, dataset, root, output, settings, say)
    sweeper = Sweeper(recipe, weights.sha256, opened, truth, output, settings, say)
    return Plan(variants, sweeper)


def _check_no_trust_is_asked() -> None:
    """Refuse to build what could not be opened: a build writes no signature."""
    keys = asked_trust()
    if keys is not None:
        raise InputError(
            f"{keys}: only what is signed with a key of it runs here, and a sweep runs what it "
            "builds, unsigned",
            f"measure where no trust is asked, without {VARIABLE} and {SYSTEM_KEYS}",
        )


def _check_each_method(recipe: Recipe, variants: Sequence[MergeRecipe]) -> None:
    """Refuse methods that do not fit the model, or have weights that the recipe's do not bring."""
    one_of_each = {variant.member: variant for variant in variants}
    for variant in one_of_each.values():
        with cures_of_a_sweep(variant.method):
            make_model(replace(recipe, merge=variant))


def sweep(
    recipe: Recipe | str | Path,
    dataset: Dataset | str | Path,
    *,
    root: str | Path | None = None,
    methods: Sequence[str] = ("mpm",),
    schedules: Sequence[Schedule] = (),
    builds: int = BUILDS,
    output: str | Path = "sweep",
    limit: int | None = None,
    timed: int = Settings.timed,
    batch_size: int = Settings.batch_size,
    repeats: int = Settings.repeats,
    device: str | None = None,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
    on_row: Callable[[int, int, MergeRecipe, SweepRow | None], None] | None = None,
) -> Sweep:
    """Measure accuracy and speed of many ways of merging, on this machine.

    Args:
        recipe: As `build` takes it; its own merging does not count.
        dataset: As `evaluate` takes it; or a folder of images without label maps, which the
            full-token model then labels.
        root: As `evaluate` takes it.
        methods: Methods with their options, as ``"mpm"`` or ``"tome:ratio=0.2"``.
        schedules: The blocks to merge at, each a tuple, and all of them are built; none asks for
            one to four of a few early blocks and each other block alone, of which those are built
            that a first look finds worth it.
        builds: The most that are built then.
        output: A folder for ``sweep.json`` and ``sweep.csv``, which keep every row as soon as it
            is there; a sweep that was interrupted goes on from them.
        limit: First images that accuracy is measured on; None is all.
        timed: First of them that speed is measured on.
        batch_size: Images a model call.
        repeats: Turns of each artifact with the full-token one.
        device: As `Runner` takes it.
        threads: As `Runner` takes it.
        progress: Told each step as it begins.
        on_row: Told variants done and in all, the variant, and its row; None where none is built.

    Returns:
        All rows; its ``to_dict()`` is what ``sweep.json`` holds.

    Raises:
        MpmError: Something cannot be built or measured; it is found before hours are lost.
    """
    builds = whole_number("builds", builds)
    plan = make_plan(
        recipe,
        dataset,
        root=root,
        methods=methods,
        schedules=schedules,
        output=output,
        settings=Settings(limit, timed, batch_size, repeats, device, threads),
        progress=progress,
    )
    merges = plan.variants
    if not schedules:
        merges = [sight.merge for sight in plan.sweeper.worth_a_build(merges, builds)]
    for done, merge in enumerate(merges, start=1):
        row = plan.sweeper.measure(merge)
        write_csv(Path(output) / "sweep.csv", plan.sweeper.sweep)
        if on_row is not None:
            on_row(done, len(merges), merge, row)
    return plan.sweeper.sweep


def _open_dataset(
    recipe: Recipe,
    weights: str | None,
    dataset: Dataset | str | Path,
    root: str | Path | None,
    output: Path,
    settings: Settings,
    say: Say,
) -> tuple[Dataset, Truth]:
    """Open the data set, or make one of a folder of images without label maps."""
    if isinstance(dataset, Dataset):
        return dataset, "labels"
    folder = Path(dataset)
    if root is not None or not has_images(folder):
        return open_dataset(str(dataset), root), "labels"
    own = label_images(
        full_token_artifact(recipe, weights, output, say),
        folder,
        output / "full_token_labels",
        limit=settings.limit,
        device=settings.device,
        threads=settings.threads,
        progress=lambda done, total: say(f"full-token: labels of image {done}/{total}"),
    )
    return own, "full_token"
