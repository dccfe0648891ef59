"""Defines in which variants a model is run: its precision, and by which schedule it merges."""

from dataclasses import dataclass, replace

from mpm_deploy.recipe import Recipe

Blocks = tuple[int, ...]


@dataclass(frozen=True)
class Variant:
    """A precision, and which tokens it is computed on.

    Attributes:
        dtype: The precision.
        merged: Whether the model merges.
        blocks: The schedule that it merges by, where that is not its recipe's own.
    """

    dtype: str = "float32"
    merged: bool = False
    blocks: Blocks = ()

    @property
    def tokens(self) -> str:
        """How tables name its tokens, as in ``merged`` or ``merged 1, 2, 5``."""
        if not self.merged:
            return "full-token"
        return " ".join(["merged", ", ".join(map(str, self.blocks))]).rstrip()

    @property
    def graph(self) -> str:
        """The name of what it computes in any precision, as in ``full_token`` or ``merged-1-2-5``;
        without a comma, at which OpenVINO takes a path for two.
        """
        return "-".join(["merged" if self.merged else "full_token", *map(str, self.blocks)])

    @property
    def name(self) -> str:
        """The variant's name, as in ``bfloat16-full_token`` or ``float32-merged-1-2-5``."""
        return f"{self.dtype}-{self.graph}"

    def changed(self, recipe: Recipe) -> Recipe:
        """Return a recipe of the merged model with the tokens of this variant."""
        if not self.merged:
            return recipe.full_token()
        if not self.blocks:
            return recipe
        return replace(recipe, merge=replace(recipe.merge, blocks=self.blocks))


FULL_TOKEN = Variant()
