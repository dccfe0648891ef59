"""The JSON files that a page is made of, of small artifacts."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mpm_deploy.artifact import read_manifest
from mpm_deploy.datasets import open_dataset
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.accuracy.evaluate import evaluate
from mpm_deploy.measure.profile.break_even import BreakEven, Size
from mpm_deploy.measure.profile.profile import Profile, Stage
from mpm_deploy.measure.search.sweep import Sweep, pareto_front
from mpm_deploy.measure.speed.report import (
    SCHEMA,
    ArtifactInfo,
    Comparison,
    HostInfo,
    LeftOut,
    Measurement,
    Percentiles,
    Ratio,
    Report,
    Spread,
    TokensKept,
)
from mpm_deploy.models.reductions import Tome
from mpm_deploy.recipe import MergeRecipe
from mpm_deploy.run.results import StageTimes
from mpm_deploy.show.gallery import make_gallery
from mpm_deploy.support.contention import Contention
from tests.datasets.made_up import make
from tests.measure.search.sweeps import HOST, row, sweep


@dataclass(frozen=True)
class Files:
    """Where they lie."""

    report: Path
    evaluations: tuple[Path, Path]
    sweep: Path
    profile: Path
    pictures: Path

    @property
    def all(self) -> list[Path]:
        return [self.report, *self.evaluations, self.sweep, self.profile]


def measurement(batch: int, fps: float, kept: TokensKept) -> Measurement:
    return Measurement(
        batch_size=batch,
        images=32,
        warmup_images=20,
        end_to_end_fps=fps,
        model_fps=fps * 1.2,
        latency_ms=Percentiles(80.0, 90.0, None),
        stages_ms=StageTimes(1.25, 0.5, 0.25, 40.0, 3.0),
        tokens_kept=kept,
        gflops=5.0,
        gflops_full_token=8.0,
        contention=Contention(0.97, 240.0, 0.0),
    )


def make_report(merged: ArtifactInfo, full: ArtifactInfo) -> Report:
    """Batches 1 and 2, and 32 left out: 20.5 FPS for 11.5, 30.5 for 12.5."""
    none = TokensKept((), (), ())
    kept = TokensKept((20.0, 14.5), (18, 12), (22, 16))
    own = [measurement(1, 20.5, kept), measurement(2, 30.5, kept)]
    others = [measurement(1, 11.5, none), measurement(2, 12.5, none)]
    end_to_end = (Spread(1.78, 1.7, 1.8), Spread(2.44, 2.4, 2.5))
    ratios = tuple(
        Ratio(other.batch_size, 3, Spread(1.6, 1.5, 1.7), spread, 1.9, other)
        for other, spread in zip(others, end_to_end, strict=True)
    )
    host = HostInfo("cpp", "A <CPU>", 2, 2, None, "Linux", "2.15", None, "0", "2026-01-01T00:00Z")
    left_out = (LeftOut(32, "there are 5 images"),)
    comparison = Comparison(full, ratios, "Merging pays here: by this much.")
    return Report(SCHEMA, merged, host, tuple(own), left_out, (), comparison)


def made_up_sweep() -> Sweep:
    """MPM at two schedules, of which the front has one, and ToMe behind them."""
    rows = (
        row(MergeRecipe("mpm", (2, 5)), 0.785, 1.4),
        row(MergeRecipe("mpm", (8,)), 0.78, 1.2),
        row(MergeRecipe("tome", (2,), member=Tome(ratio=0.2)), 0.78, 1.3),
    )
    found = sweep(*rows)
    recipe = {"backend": {"name": "torchscript", "dtype": "float32"}}
    return replace(
        found,
        subject=replace(found.subject, recipe=recipe),
        front=pareto_front(found.every_row()),
    )


def made_up_profile(merged: ArtifactInfo) -> Profile:
    """A model of one block, which merges; and a break-even at 64 tokens."""
    stages = (
        Stage("scores", None, "artifact", 4.0, None),
        Stage("embed", None, "eager", 1.0, 1.0),
        Stage("merge", 0, "eager", 0.5, None),
        Stage("attention", 0, "eager", 2.25, 4.0),
        Stage("MLP", 0, "eager", 2.0, 3.5),
    )
    sizes = (Size(16, Spread(0.9, 0.8, 1.0)), Size(64, Spread(1.25, 1.2, 1.3)))
    even = (BreakEven(1, 64, sizes),)
    return Profile("mpm-profile/2", merged, HOST, 3, stages, even, ("A remark.",), ())


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document.to_dict()))
    return path


@pytest.fixture(scope="session")
def files(
    artifact: Path,
    full_token_artifact: Path,
    image_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Files:
    folder = tmp_path_factory.mktemp("page")
    merged, full = (
        ArtifactInfo.of(str(path), read_manifest(path)) for path in (artifact, full_token_artifact)
    )
    make("folder", folder / "data")
    dataset = open_dataset("folder", folder / "data")
    make_gallery(
        artifact, find_images(image_folder)[:2], folder / "pictures", against=full_token_artifact
    )
    return Files(
        report=write(folder / "report.json", make_report(merged, full)),
        evaluations=(
            write(folder / "merged.json", evaluate(artifact, dataset)),
            write(folder / "full.json", evaluate(full_token_artifact, dataset)),
        ),
        sweep=write(folder / "sweep.json", made_up_sweep()),
        profile=write(folder / "profile.json", made_up_profile(merged)),
        pictures=folder / "pictures",
    )
