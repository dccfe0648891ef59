"""One part of the record: a row, merged by one method, built and timed against full-token."""

import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.gpu.parity import measure_parity
from benchmarks.gpu.prepare import describe
from benchmarks.gpu.results import Parity, PartResult, Profile, Stages
from benchmarks.gpu.stages import measure_kernels, measure_stages
from benchmarks.gpu.subjects import Subject
from benchmarks.record import ROOT, built, current_commit
from mpm_deploy.artifact import Manifest, read_manifest
from mpm_deploy.backends import open_artifact
from mpm_deploy.build import make_model
from mpm_deploy.images import find_images, fit, to_tensor
from mpm_deploy.measure.bench import bench
from mpm_deploy.measure.report import Report
from mpm_deploy.recipe import Recipe
from mpm_deploy.structure import read_structure

SLOW = 400.0  # GFLOPs of an image from which on a row is timed on fewer images
WITH_STAGES = "mpm"  # whose merges are timed one by one


@dataclass(frozen=True)
class Conditions:
    """What parts are measured on, and how.

    Attributes:
        images: A folder of different JPEGs.
        repeats: Turns of each artifact.
        batch_sizes: Rising.
        parity_images: That label maps are compared of.
        timed_images: Of a pass.
        timed_images_slow: Of a pass of a row of `SLOW` GFLOPs or more.
        warmup: Batches before timing.
        program: The C++ one.
        build: Gives the file of a recipe by a name.
    """

    images: Path
    repeats: int = 3
    batch_sizes: tuple[int, ...] = (1, 2, 32)
    parity_images: int = 512
    timed_images: int = 512
    timed_images_slow: int = 128
    warmup: int = 10
    program: Path = ROOT / "build" / "cpp_runner"
    build: Callable[[Recipe, str], Path] = built


@dataclass(frozen=True)
class Part:
    """One row, and how its tokens merge."""

    subject: Subject
    method: str
    weights: str
    conditions: Conditions

    def measure(self) -> PartResult:
        """All that is known of it."""
        manifest, full_token = read_manifest(self.merged), read_manifest(self.full_token)
        profiles, stages = self._inside()
        largest = self.conditions.batch_sizes[-1]
        return PartResult(
            row=self.subject.name,
            method=self.method,
            recipe=manifest.recipe,
            weights=describe(self.weights),
            parameters=manifest.model.parameters,
            patches=manifest.patches,
            flops=manifest.flops,
            full_token_flops=full_token.flops,
            labels_agree=manifest.agreement.labels,
            parity=self._parity(),
            cpp=self._cpp(manifest),
            python=self._python(self.full_token, manifest, largest),
            profiles=profiles,
            before_decoder=self._over_decoding_all(manifest, largest),
            stages=stages,
            commit=current_commit(),
        )

    def artifacts(self) -> tuple[Path, ...]:
        """All files that it needs, built where they are not there."""
        over = (self.before_decoder,) if self.method == WITH_STAGES else ()
        return (self.merged, self.full_token, *over)

    @cached_property
    def recipe(self) -> Recipe:
        """Of the merged artifact."""
        return self.subject.recipe(self.method, self.weights)

    @cached_property
    def merged(self) -> Path:
        """Its file."""
        return self._build(self.recipe, self.method)

    @cached_property
    def full_token(self) -> Path:
        """The same model's without merging."""
        return self._build(self.recipe.full_token(), "full_token")

    @cached_property
    def before_decoder(self) -> Path:
        """Merged too, and decoded as the paper does: all patches."""
        recipe = self.recipe.override("merge.reconstruct=before_decoder")
        return self._build(recipe, "before_decoder")

    def _build(self, recipe: Recipe, variant: str) -> Path:
        return self.conditions.build(recipe, f"{self.subject.name}_{variant}")

    def _inside(self) -> tuple[tuple[Profile, ...], Stages | None]:
        """The kernels of a forward, and its merges; afterwards the GPU is the engines' again."""
        manifest, program = open_artifact(self.merged, None)
        sizes = (self.conditions.batch_sizes[0], self.conditions.batch_sizes[-1])
        batch = self._batch(manifest, program.device)
        profiles = tuple(Profile(n, measure_kernels(program, batch[:n])) for n in sizes)
        if self.method != WITH_STAGES:
            return profiles, None
        model, _ = make_model(self.recipe)
        return profiles, measure_stages(model, program, batch)

    def _batch(self, manifest: Manifest, device: torch.device) -> Tensor:
        """The first images, ``(B, 3, H, W)`` uint8."""
        files = find_images(self.conditions.images)[: self.conditions.batch_sizes[-1]]
        size = (manifest.input.height, manifest.input.width)
        return torch.stack([fit(to_tensor(file), size) for file in files]).to(device)

    def _over_decoding_all(self, manifest: Manifest, batch_size: int) -> Report | None:
        if self.method != WITH_STAGES:
            return None
        return self._python(self.before_decoder, manifest, batch_size)

    def _python(self, against: Path, manifest: Manifest, batch_size: int) -> Report:
        return bench(
            self.merged,
            self.conditions.images,
            against=against,
            batch_sizes=(batch_size,),
            limit=self._limit(manifest),
            repeats=self.conditions.repeats,
            warmup=self.conditions.warmup,
        )

    def _cpp(self, manifest: Manifest) -> Report:
        conditions = self.conditions
        options = {
            "against": self.full_token,
            "batch": ",".join(map(str, conditions.batch_sizes)),
            "limit": self._limit(manifest),
            "repeats": conditions.repeats,
            "warmup": conditions.warmup,
        }
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            told = [f"--{name}={value}" for name, value in options.items()]
            command = [conditions.program, self.merged, conditions.images, *told]
            command.append(f"--json={report}")
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return read_structure(Report, json.loads(report.read_text()))

    def _parity(self) -> Parity:
        conditions = self.conditions
        count = conditions.parity_images
        return measure_parity(conditions.program, self.merged, conditions.images, count)

    def timed_images(self, gflops: float) -> int:
        """As many as let a slow row be done within minutes.

        Args:
            gflops: Of an image through the full-token model.
        """
        conditions = self.conditions
        return conditions.timed_images_slow if gflops >= SLOW else conditions.timed_images

    def _limit(self, manifest: Manifest) -> int:
        every_token = [manifest.patches] * len(manifest.flops.stages)
        return self.timed_images(manifest.flops.total(every_token) / 1e9)
