"""The models that are timed on a GPU, in each precision."""

from dataclasses import dataclass

from mpm_deploy.recipe import Recipe, load_recipe

RECIPES = {"bfloat16": "h100_bf16", "float32": "h100_fp32"}
CLASSES = 150  # as ADE20K has, so that the decoder has the paper's work


@dataclass(frozen=True)
class Subject:
    """A model.

    Attributes:
        model: Its name in the zoo, and on the command line.
        paper: What the paper's tables call it, by precision.
        fps: Model FPS to reach at batch 32, merged, by precision.
        of_the_flops: Share of the FLOP ratio to reach at batch 32, by precision.
        matrix_rate: Learning rate of its matrices, where it is trained for this.
    """

    model: str
    paper: dict[str, str]
    fps: dict[str, float]
    of_the_flops: dict[str, float]
    matrix_rate: float

    def recipe(self, dtype: str, weights: str) -> Recipe:
        """The built-in recipe of a precision, for this model with the weights ``weights``."""
        settings = [f"model.name={self.model}", f"model.weights='{weights}'"]
        if weights == "random":
            # Random weights leave the classes closer to one another than bfloat16 tells apart.
            settings += [f"model.classes={CLASSES}", "verify.labels=0.9", "verify.clusters=0.9"]
        return load_recipe(RECIPES[dtype]).override(*settings)


SUBJECTS = {
    subject.model: subject
    for subject in (
        Subject("seg_t16_mask", {"float32": "Seg-T/16"}, {}, {"float32": 0.95}, 4e-3),
        Subject("seg_s16_mask", {"float32": "Seg-S/16"}, {}, {"float32": 0.95}, 3e-3),
        Subject(
            "seg_b16_mask",
            {"float32": "Seg-B/16", "bfloat16": "ViT-B/16"},
            {"bfloat16": 2000},
            {"float32": 0.95, "bfloat16": 0.8},
            2e-3,
        ),
        Subject(
            "seg_l16_mask",
            {"float32": "Seg-L/16", "bfloat16": "ViT-L/16"},
            {"bfloat16": 900},
            {"float32": 0.95, "bfloat16": 0.9},
            1e-3,
        ),
        Subject("seg_b8_linear", {"float32": "Seg-B/8"}, {}, {"float32": 0.95}, 2e-3),
    )
}
