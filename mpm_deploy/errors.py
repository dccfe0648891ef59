"""Every error this package raises on purpose, as one family.

    MpmError
    ├── RecipeError            a recipe: which file, which key, what was allowed
    ├── ModelError             a model or its weights cannot be used, or it gives no numbers
    ├── BuildError             a backend cannot compile the recipe here
    │   └── AgreementError     the artifact disagrees with the eager model
    ├── ArtifactError          not an artifact, or a damaged, foreign, newer or untrusted one
    │   └── HostError          a sound artifact that does not fit this machine
    ├── ImageError             one image that cannot be decoded
    ├── InputError             nothing to do, or an argument of the wrong shape
    │   └── DatasetError       a data set that is not laid out, or not labelled, as its name says
    └── MissingPackageError    an optional package is needed and absent

A message says where, what was expected and what came; ``hint`` says the cure.
"""

import copyreg
from typing import Any


class MpmError(Exception):
    """An error with a cure.

    Args:
        problem: One sentence: where, what was expected, what came.
        hint: What the user can do about it, if anything.
    """

    def __init__(self, problem: str, hint: str | None = None) -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process as it is, also where a subclass is made of other arguments."""
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return self.problem if self.hint is None else f"{self.problem}\n  hint: {self.hint}"


class RecipeError(MpmError):
    """A recipe is wrong: names its file, the key and what was allowed."""


class ModelError(MpmError):
    """A model or its weights cannot be used: names the part; or its scores are not finite."""


class BuildError(MpmError):
    """A backend cannot compile this recipe on this machine."""


class AgreementError(BuildError):
    """The compiled artifact disagrees with the eager model; nothing was written."""


class ArtifactError(MpmError):
    """A file is no artifact, or a damaged, foreign or newer one, or nobody trusted signed it."""


class HostError(ArtifactError):
    """A sound artifact that does not fit this machine."""


class ImageError(MpmError):
    """One image that cannot be decoded; the others go on."""


class InputError(MpmError):
    """Nothing to do, or an argument of the wrong shape, type or value."""


class DatasetError(InputError):
    """A data set is not there, not whole, or not labelled as its name says: names the file."""


class MissingPackageError(MpmError):
    """An optional package is needed for this call and is not installed."""
