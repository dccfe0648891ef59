"""Lists the models that are compared, and the goals of each."""

from dataclasses import dataclass

from mpm_deploy.recipe import Recipe, load_recipe


@dataclass(frozen=True)
class Goals:
    """Ratios of end-to-end FPS to reach, each engine by its best way.

    Attributes:
        over_plain: The ratio over PyTorch eager full-token, float32.
        over_best_peer: The ratio over the fastest full-token peer of the same precision.
    """

    over_plain: float
    over_best_peer: float


@dataclass(frozen=True)
class Subject:
    """A model with its weights.

    Attributes:
        name: The model's name on the command line.
        settings: Assignments that change a built-in recipe.
        images: Images of one pass, so that a pass takes seconds with each.
        goals: The ratios to reach.
    """

    name: str
    settings: tuple[str, ...]
    images: int
    goals: Goals

    def recipe(self, name: str = "cpu_portable_fp32") -> Recipe:
        """Return a built-in recipe, changed for this model."""
        recipe = load_recipe(name)
        return recipe.override(*self.settings_in(recipe.backend.dtype))

    def settings_in(self, dtype: str) -> tuple[str, ...]:
        """Return the assignments that change a recipe that computes in ``dtype``."""
        random = "model.weights=random" in self.settings
        if dtype == "float32" or not random:
            return self.settings
        # Random weights leave the classes closer to one another than bfloat16 tells apart.
        return (*self.settings, "verify.labels=0.9", "verify.clusters=0.9")


def _random(model: str) -> tuple[str, ...]:
    return (f"model.name={model}", "model.weights=random", "model.classes=150")


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("demo", (), 16, Goals(2.0, 1.6)),
        Subject("seg_t16_mask", _random("seg_t16_mask"), 16, Goals(4.0, 1.6)),
        Subject("seg_s16_mask", _random("seg_s16_mask"), 8, Goals(2.5, 1.5)),
        Subject("seg_b16_mask", _random("seg_b16_mask"), 8, Goals(1.8, 1.3)),
    )
}
