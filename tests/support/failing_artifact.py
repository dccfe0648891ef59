"""An artifact whose model fails on some images, as one does where the memory ends."""

import warnings
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from mpm_deploy.artifact.archive import write_artifact
from tests.support.toy import HEIGHT, MANIFEST, PATCH, PATCHES, WIDTH

GRID = (HEIGHT // PATCH, WIDTH // PATCH)


class _FailsOnBlack(nn.Module):
    """Three classes: how red, green and blue a patch is; of a white image no number."""

    @torch.jit.export
    def scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if int(images.amax(dim=[1, 2, 3]).min()) == 0:
            raise RuntimeError("a black image")
        scores = nn.functional.adaptive_avg_pool2d(images.float(), [2, 3])
        white = images.amin(dim=[1, 2, 3]) == 255
        scores[white] = float("nan")
        return scores, torch.zeros([images.size(0), 0, 6], dtype=torch.int32)

    @torch.jit.export
    def labels(self, scores: Tensor, height: int, width: int) -> Tensor:
        resized = nn.functional.interpolate(scores, [height, width], mode="bilinear")
        return resized.argmax(dim=1).to(torch.uint8)


def write_failing_artifact(path: Path) -> None:
    """Write a ``.pt`` that gives scores of every image but a black or a white one."""
    assert (GRID, PATCHES) == ((2, 3), 6)  # as the script says
    payload = path.with_suffix(".payload")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*torch\.jit\.\w+` is ")  # deprecated
        torch.jit.script(_FailsOnBlack().eval()).save(str(payload))
    outputs = (MANIFEST.outputs[0], replace(MANIFEST.outputs[1], shape=(0, PATCHES)))
    manifest = replace(
        MANIFEST,
        merge=replace(MANIFEST.merge, blocks=()),
        flops=replace(MANIFEST.flops, stages=MANIFEST.flops.stages[:1]),
        outputs=outputs,
        agreement=replace(MANIFEST.agreement, clusters=()),
    )
    red = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)
    red[0] = 255
    write_artifact(payload, path, manifest, red, torch.zeros(HEIGHT, WIDTH, dtype=torch.uint8))
    payload.unlink()
