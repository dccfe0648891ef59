"""One part of the record: a row, merged by one method, built and timed against full-token."""

import json
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
VARIANTS = ("merged", "full_token")
WITH_STAGES = "mpm"  # whose merges are timed one by one


class MeasurementError(Exception):
    """Some of a part could not be measured; the rest is kept."""


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
    parity_images: int = 128
    timed_images: int = 256
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

    def measure(self) -> Iterator[PartResult]:
        """What is known of it, after each measurement more; one that fails leaves its place empty.

        Raises:
            MeasurementError: At the end, where any failed; each has printed its trace.
        """
        result, failed = self._described(), []
        for name, measurement in self._measurements(read_manifest(self.merged)).items():
            try:
                result = replace(result, **{name: measurement()})
            except Exception:  # noqa: BLE001  whatever it is, the others are worth having
                traceback.print_exc()
                failed.append(name)
            yield result
        if failed:
            raise MeasurementError(f"{result.name}: failed: {', '.join(failed)}")

    def _described(self) -> PartResult:
        manifest, full_token = read_manifest(self.merged), read_manifest(self.full_token)
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
            commit=current_commit(),
        )

    def _measurements(self, manifest: Manifest) -> dict[str, Callable[[], object]]:
        """By the name of what they fill in, in the order of worth."""
        found: dict[str, Callable[[], object]] = {
            "cpp": partial(self._cpp, manifest),
            "parity": self._parity,
            "python": partial(self._python, manifest),
            "profiles": self._profiles,
        }
        if self.method == WITH_STAGES:
            found["stages"] = self._stages
        return found

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

    def build(self, variant: str) -> Path:
        """The file of one of `VARIANTS`."""
        return self.merged if variant == "merged" else self.full_token

    def _build(self, recipe: Recipe, variant: str) -> Path:
        path = self.conditions.build(recipe, f"{self.subject.name}_{variant}")
        # A report names its artifact: the folder of the machine it ran on says nothing.
        here = Path.cwd()
        return path.relative_to(here) if path.is_relative_to(here) else path

    def _profiles(self) -> tuple[Profile, ...]:
        """Of both models, at the least and the largest batch."""
        sizes = (self.conditions.batch_sizes[0], self.conditions.batch_sizes[-1])
        found = []
        for artifact, merged in ((self.merged, True), (self.full_token, False)):
            manifest, program = open_artifact(artifact, None)
            batch = self._batch(manifest, program.device)
            found += [Profile(n, measure_kernels(program, batch[:n]), merged) for n in sizes]
        return tuple(found)

    def _stages(self) -> Stages:
        manifest, program = open_artifact(self.merged, None)
        model, _ = make_model(self.recipe)
        return measure_stages(model, program, self._batch(manifest, program.device))

    def _batch(self, manifest: Manifest, device: torch.device) -> Tensor:
        """The first images, ``(B, 3, H, W)`` uint8."""
        files = find_images(self.conditions.images)[: self.conditions.batch_sizes[-1]]
        size = (manifest.input.height, manifest.input.width)
        return torch.stack([fit(to_tensor(file), size) for file in files]).to(device)

    def _python(self, manifest: Manifest) -> Report:
        return bench(
            self.merged,
            self.conditions.images,
            against=self.full_token,
            batch_sizes=self.conditions.batch_sizes,
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
