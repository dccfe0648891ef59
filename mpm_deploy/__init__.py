"""Token-merged ViT segmentation models: from a recipe to one file, and from that file to FPS.

from mpm_deploy import Runner

with Runner("segmenter.pt2") as runner:
    result = runner("street.jpg")
print(result.labels.shape, result.tokens_kept)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mpm_deploy.errors import (
    AgreementError,
    ArtifactError,
    BuildError,
    DatasetError,
    HostError,
    ImageError,
    InputError,
    MissingPackageError,
    ModelError,
    MpmError,
    RecipeError,
)

if TYPE_CHECKING:
    from mpm_deploy.models.patch import patch, unpatch
    from mpm_deploy.models.reductions import mutual_pair_merge
    from mpm_deploy.recipe import Recipe, load_recipe
    from mpm_deploy.run.results import Result
    from mpm_deploy.run.runner import Runner

__version__ = "0.1.0"

__all__ = [
    "AgreementError",
    "ArtifactError",
    "BuildError",
    "DatasetError",
    "HostError",
    "ImageError",
    "InputError",
    "MissingPackageError",
    "ModelError",
    "MpmError",
    "Recipe",
    "RecipeError",
    "Result",
    "Runner",
    "load_recipe",
    "mutual_pair_merge",
    "patch",
    "unpatch",
]

# Loaded at first use: `import mpm_deploy` stays fast, and a machine that only runs artifacts never
# touches what only a build needs.
_HOME = {
    "Recipe": "recipe",
    "Result": "run.results",
    "Runner": "run.runner",
    "load_recipe": "recipe",
    "mutual_pair_merge": "models.reductions",
    "patch": "models.patch",
    "unpatch": "models.patch",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
