"""Token-merged ViT segmentation models: from a recipe to one file, and from that file to FPS.

from mpm_deploy import Runner, bench, build

build("cpu_fp32", "segmenter.pt2")
with Runner("segmenter.pt2") as runner:
    result = runner("street.jpg")
print(result.labels.shape, result.tokens_kept)
print(bench("segmenter.pt2", "photos/").results[0].end_to_end_fps)
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
    from mpm_deploy.artifact import read_manifest
    from mpm_deploy.builder.build import build
    from mpm_deploy.measure.accuracy.evaluate import evaluate
    from mpm_deploy.measure.search.advise import advise
    from mpm_deploy.measure.search.plan import sweep
    from mpm_deploy.measure.speed.bench import bench
    from mpm_deploy.models.patch import patch, unpatch
    from mpm_deploy.models.reductions import mutual_pair_merge
    from mpm_deploy.recipe import Recipe, load_recipe
    from mpm_deploy.run.results import Result, Skipped
    from mpm_deploy.run.runner import Runner
    from mpm_deploy.run.sources import open_source

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
    "Skipped",
    "advise",
    "bench",
    "build",
    "evaluate",
    "load_recipe",
    "mutual_pair_merge",
    "open_source",
    "patch",
    "read_manifest",
    "sweep",
    "unpatch",
]

# Loaded at first use: `import mpm_deploy` stays fast, and a machine that only runs artifacts never
# touches what only a build needs.
_HOME = {
    "Recipe": "recipe",
    "Result": "run.results",
    "Runner": "run.runner",
    "Skipped": "run.results",
    "advise": "measure.search.advise",
    "bench": "measure.speed.bench",
    "build": "builder.build",
    "evaluate": "measure.accuracy.evaluate",
    "load_recipe": "recipe",
    "mutual_pair_merge": "models.reductions",
    "open_source": "run.sources",
    "patch": "models.patch",
    "read_manifest": "artifact",
    "sweep": "measure.search.plan",
    "unpatch": "models.patch",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
