"""Recipes say which model to build, how it merges tokens, and what compiles it for which machine.

A recipe is a TOML file. Every key has a default, an unknown key is an error, and the types below
say what a key may hold.

    description = "what it is for"
                                        [backend]
    [model]                             name = "torchscript"
    name = "seg_t16_mask"               device = "cpu"
    weights = "demo"                    dtype = "float32"

    [merge]                             [verify]
    blocks = [2, 5]              labels = 0.999

`recipe` holds the whole, `tables` what each key may hold, `model_names` the names of models, and
`files` reads the built-in recipes and those of others. Which methods, heads and backends there are,
and which options each takes, they say themselves: a table asks `families`.
"""

from mpm_deploy.recipe.files import builtin_recipes, load_recipe
from mpm_deploy.recipe.recipe import Recipe
from mpm_deploy.recipe.tables import (
    BackendRecipe,
    InputRecipe,
    MergeRecipe,
    ModelRecipe,
    VerifyRecipe,
)

__all__ = [
    "BackendRecipe",
    "InputRecipe",
    "MergeRecipe",
    "ModelRecipe",
    "Recipe",
    "VerifyRecipe",
    "builtin_recipes",
    "load_recipe",
]
