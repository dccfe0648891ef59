"""Holds artifacts against transformers: ``python -m benchmarks.transformers_agreement``

Models of transformers with random weights are written by its `save_pretrained`, read from there,
compiled full-token and merged, and run by both programs on scenes at the model's own size:

    full-token   scores of the artifact against those of transformers, their largest difference;
                 labels of either program against transformers' scores, interpolated. A pixel is
                 clear where the best score leads by a hundredth of their deviation
    merged       late against early reconstruction, eagerly; one image a call against a batch; the
                 label maps of one program against the other's

Building takes minutes a model, and the large one 20 GiB of memory.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from benchmarks.bench import agreement
from benchmarks.bench.cache import built
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table
from benchmarks.bench.transformers_models import MODELS, TransformersModel
from benchmarks.peers.models import spread_over
from benchmarks.record import CPP_RUNNER, IMAGES, PROGRAMS
from mpm_deploy.backends import open_artifact
from mpm_deploy.builder.model import make_model
from mpm_deploy.images.decode import decode, find_images, fit
from mpm_deploy.recipe import Recipe

_CLEAR = 0.01  # deviations of the scores, by which the best of a clear pixel leads

Row = dict[str, Any]


@dataclass(frozen=True)
class Images:
    """The images of a model: as tensors, and as files of the same pixels.

    Attributes:
        folder: PNGs.
        batch: ``(B, 3, H, W)`` uint8.
    """

    folder: Path
    batch: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """Their ``(height, width)``."""
        return self.batch.shape[2], self.batch.shape[3]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--models", nargs="+", choices=[*MODELS], default=[*MODELS])
    parser.add_argument("--recipe", default="cpu_portable_fp32")
    parser.add_argument("--images", type=int, default=4)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure model after model: each takes minutes."""
    full, merged = [], []
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            one, other = rows_of(MODELS[name], options, Path(folder))
        full.append(one)
        merged.append(other)
        record = {
            "recipe": options.recipe,
            "transformers": version("transformers"),
            "full_token": full,
            "merged": merged,
        }
        tables = [rows_table([one], "against transformers"), rows_table([other], "merged")]
        yield Finding(record, tables)


def rows_of(model: TransformersModel, options: argparse.Namespace, work: Path) -> tuple[Row, Row]:
    """Return a model's rows, full-token and merged."""
    recipe = model.recipe(options.recipe)
    images = prepared(model.side, options.images, work / "images")
    facts = {"model": model.name, "recipe": recipe.name, "images": len(images.batch)}
    return (
        facts | full_token_row(model, recipe.full_token(), images, work / "full_token"),
        facts | merged_row(recipe, images, work / "merged"),
    )


def prepared(side: int, count: int, folder: Path) -> Images:
    """Write some scenes as PNGs of ``side`` pixels, and return them."""
    folder.mkdir(parents=True)
    pixels = []
    for path in spread_over(find_images(IMAGES), count):
        pixels.append(fit(decode(path), (side, side)))
        picture = Image.fromarray(pixels[-1].permute(1, 2, 0).numpy())
        picture.save(folder / f"{path.stem}.png")
    return Images(folder, torch.stack(pixels))


def full_token_row(model: TransformersModel, recipe: Recipe, images: Images, work: Path) -> Row:
    """Compare an artifact's scores and labels with transformers'."""
    artifact = built(recipe, model.name)
    with torch.inference_mode():
        reference = model.reference().eval()
        expected = torch.cat([reference(image) for image in images.batch.split(1)])
    got, _ = open_artifact(artifact).program.scores(images.batch)
    deviation = expected.std().item()
    upsampled = functional.interpolate(expected, images.size, mode="bilinear")
    best = upsampled.topk(2, dim=1).values  # (B, 2, H, W)
    labels, clear = upsampled.argmax(dim=1), best[:, 0] - best[:, 1] > _CLEAR * deviation
    row: Row = {
        "deviation_of_scores": deviation,
        "largest_difference": (got - expected).abs().max().item(),
        "clear_pixels": clear.double().mean().item(),
    }
    for program in PROGRAMS:
        maps = label_maps(program, artifact, images, work / program)
        equal = maps == labels
        row[f"{program}_labels_equal"] = equal.double().mean().item()
        row[f"{program}_clear_equal"] = equal[clear].double().mean().item()
    return row


def merged_row(recipe: Recipe, images: Images, work: Path) -> Row:
    """Compare a merged model with itself: late and early, alone and in a batch, both programs."""
    artifact = built(recipe)
    early = replace(recipe.merge, reconstruct="before_decoder")
    late_scores, maps = scores_of(recipe, images.batch)
    early_scores, early_maps = scores_of(replace(recipe, merge=early), images.batch)
    program = open_artifact(artifact).program
    batch, _ = program.scores(images.batch)
    alone = torch.cat([program.scores(image)[0] for image in images.batch.split(1)])
    for name in PROGRAMS:
        label_maps(name, artifact, images, work / name)
    programs = agreement.compare(*(work / name for name in PROGRAMS))
    return {
        "blocks": list(recipe.merge.blocks),
        "tokens_kept": (maps.amax(dim=2) + 1).double().mean(dim=0).tolist(),
        "late_to_early": (late_scores - early_scores).abs().max().item(),
        "merged_alike": torch.equal(maps, early_maps),
        "alone_to_batch": (alone - batch).abs().max().item(),
        "programs_equal_images": programs.equal_images,
        "programs_equal_pixels": programs.equal_pixels,
    }


def scores_of(recipe: Recipe, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Compute scores and merge maps eagerly, an image at a time."""
    model, _ = make_model(recipe)
    with torch.inference_mode():
        scores, maps = zip(*(model(image) for image in batch.split(1)), strict=True)
    return torch.cat(scores), torch.cat(maps)


def label_maps(program: str, artifact: Path, images: Images, folder: Path) -> Tensor:
    """Write label maps by one of the programs, and return them ``(B, H, W)``."""
    command = [*PROGRAMS[program], "run", str(artifact), str(images.folder), "-o", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    maps = [agreement.read_labels(folder / path.name) for path in find_images(images.folder)]
    return torch.from_numpy(np.stack(maps))


MEMBER = Member(
    "transformers_agreement", "DINOv2, EoMT and DINOv3 against transformers", measure, add_options,
    needs=("transformers", CPP_RUNNER),
)  # fmt: skip

if __name__ == "__main__":
    MEMBER.run()
