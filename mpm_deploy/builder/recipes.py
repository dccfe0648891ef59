"""Take a recipe from wherever it is: a value, a file, or an artifact that was built of it."""

from pathlib import Path

from mpm_deploy.artifact import read_manifest
from mpm_deploy.recipe import Recipe, load_recipe


def as_recipe(recipe: Recipe | str | Path) -> Recipe:
    """Return a recipe as it is, or read one.

    Args:
        recipe: A recipe; the name of a built-in one, as ``"cpu_fp32"``; a ``.toml`` file; or a
            ``.pt`` or ``.pt2``, which holds the recipe that it was built of.

    Raises:
        RecipeError: No such recipe, or a wrong one.
        ArtifactError: An artifact that cannot be read.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if Path(recipe).suffix in (".pt", ".pt2"):
        return Recipe.from_dict(read_manifest(recipe).recipe)
    return load_recipe(recipe)
