"""Draws the README's picture: an image, what is left of it after each merge, and its label map.

    python -m benchmarks.picture ARTIFACT IMAGE

Writes ``docs/results/figures/merges.jpg``.
"""

import sys
from pathlib import Path

from benchmarks.record import ROOT
from mpm_deploy.images.decode import decode
from mpm_deploy.run.runner import Runner
from mpm_deploy.show.drawing import sheet
from mpm_deploy.show.gallery.rows import Rows, SegmentedImage

TARGET = ROOT / "docs" / "results" / "figures" / "merges.jpg"
_WIDTH, _QUALITY = 1440, 85


def draw(artifact: Path, image: Path, target: Path = TARGET) -> None:
    """Draw one row of panels, and write it."""
    with Runner(artifact) as runner:
        pixels = decode(image).permute(1, 2, 0).numpy()
        seen = SegmentedImage(image.stem, pixels, runner(image))
        rows = Rows(runner.manifest, ("merged", ""))
    picture, labels = rows.labels(seen)
    whole = sheet([[picture, *rows.merges(seen), labels]]).convert("RGB")
    small = whole.resize((_WIDTH, whole.height * _WIDTH // whole.width))
    small.save(target, quality=_QUALITY)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
