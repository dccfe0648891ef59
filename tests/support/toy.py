"""An artifact that is none: a program whose answers a test can work out by hand."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mpm_deploy.artifact import (
    FORMAT,
    Agreement,
    BatchRange,
    CreatedBy,
    Flops,
    InputInfo,
    Manifest,
    MergeInfo,
    ModelInfo,
    OutputInfo,
    Requires,
    StageFlops,
    WeightsOrigin,
)
from mpm_deploy.backends import Program
from mpm_deploy.ops.label_map.reference import label_map

HEIGHT, WIDTH, PATCH = 32, 48, 16
PATCHES = (HEIGHT // PATCH) * (WIDTH // PATCH)

MANIFEST = Manifest(
    format=FORMAT,
    created_by=CreatedBy("0", "0", "2026-01-01T00:00:00Z"),
    recipe={"name": "toy"},
    model=ModelInfo("toy", "toy", "linear", 0, PATCH, 0, ("r", "g", "b"), ((255, 0, 0),) * 3),
    weights=WeightsOrigin("random", None),
    input=InputInfo(HEIGHT, WIDTH, (0.0,) * 3, (1.0,) * 3, "resize"),
    merge=MergeInfo("mpm", "before_block", (0,), "after_decoder", {}, None),
    outputs=(
        OutputInfo("scores", "float32", (3, HEIGHT // PATCH, WIDTH // PATCH)),
        OutputInfo("merge_maps", "int32", (1, PATCHES)),
    ),
    flops=Flops(1e9, (StageFlops(1e9, 0.0), StageFlops(1e9, 1e9))),
    batch=BatchRange(1, 4),
    requires=Requires("torchscript", "cpu", "float32", {"torch": "0"}, None, (), None, {}),
    agreement=Agreement(1, 1.0, (1.0,)),
    payload_sha256="0" * 64,
)


class ToyProgram(Program):
    """Three classes: how red, green and blue a patch is. Keeps 1 + (first byte % 6) tokens."""

    def __init__(self, manifest: Manifest = MANIFEST, device: str = "cpu") -> None:
        super().__init__(manifest, torch.device(device))
        self.batches: list[int] = []

    def _scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.batches.append(images.shape[0])
        scores = torch.nn.functional.avg_pool2d(images.float(), PATCH)  # (B, 3, 2, 3)
        kept = 1 + images[:, 0, 0, 0].int() % PATCHES  # (B,)
        maps = torch.arange(PATCHES, dtype=torch.int32)[None] % kept[:, None]
        return scores, maps[:, None]

    def _labels(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        return label_map(scores, size)


def write_pictures(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Different pictures of different sizes, as ``0000.png`` and so on."""
    generator = np.random.default_rng(seed)
    files = []
    for index in range(count):
        height, width = generator.integers(9, 70, 2)
        coarse = generator.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((int(width), int(height)))
        files.append(folder / f"{index:04}.png")
        picture.save(files[-1])
    return files
