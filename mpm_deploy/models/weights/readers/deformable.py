"""Translate deformable attention, whose layers all who publish it call alike."""

from torch import Tensor

from mpm_deploy.models.weights.readers.translation import Take, affine


def deformable_weights(
    take: Take, ours: str, theirs: str, width: int, value_width: int, points: int
) -> dict[str, Tensor]:
    """Take the tensors of a layer of deformable attention.

    Args:
        take: As a translation is given it.
        ours: What is in front of their names here.
        theirs: What is in front of their names in the file.
        width: Width C of queries and cells.
        value_width: Width of what is read.
        points: Points of all heads in all levels.
    """
    return {
        **affine(take, f"{ours}.sampling_offsets", f"{theirs}.sampling_offsets", 2 * points, width),
        **affine(take, f"{ours}.attention_weights", f"{theirs}.attention_weights", points, width),
        **affine(take, f"{ours}.value_proj", f"{theirs}.value_proj", value_width, width),
        **affine(take, f"{ours}.output_proj", f"{theirs}.output_proj", width, value_width),
    }
