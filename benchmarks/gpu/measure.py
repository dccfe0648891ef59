"""Measures one part of the record: a row by one method, built and timed against full-token."""

import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.bench.agreement import Agreement, compare
from benchmarks.bench.cache import built
from benchmarks.gpu.prepare import describe
from benchmarks.gpu.results import WITH_STAGES, PartResult, Profile, Stages
from benchmarks.gpu.rows import Subject
from benchmarks.gpu.stages import measure_kernels, measure_stages
from benchmarks.record import CPP_RUNNER, current_commit
from mpm_deploy.artifact import Manifest, read_manifest
from mpm_deploy.backends import open_artifact
from mpm_deploy.builder.model import make_model
from mpm_deploy.images.decode import decode, find_images, fit
from mpm_deploy.measure.speed.bench import bench
from mpm_deploy.measure.speed.report import Report
from mpm_deploy.recipe import Recipe
from mpm_deploy.run.label_maps import label_map_names, write_label_map
from mpm_deploy.run.runner import Runner

SLOW = 400.0  # GFLOPs of an image from which on a row is timed on fewer images
VARIANTS = ("merged", "full_token")


class MeasurementError(Exception):
    """Raised when some of a part could not be measured; the rest is kept."""


@dataclass(frozen=True)
class Conditions:
    """The images, batch sizes and programs that parts are measured with.

    Attributes:
        images: A folder of different JPEGs.
        repeats: Turns of each artifact.
        batch_sizes: Images a call, in rising order.
        parity_images: The number of images whose label maps are compared.
        timed_images: Images of a timed pass.
        timed_images_slow: The same for a row of `SLOW` GFLOPs or more.
        warmup: Batches before timing.
        program: The C++ program.
    """

    images: Path
    repeats: int = 3
    batch_sizes: tuple[int, ...] = (1, 2, 32)
    parity_images: int = 128
    timed_images: int = 256
    timed_images_slow: int = 128
    warmup: int = 10
    program: Path = CPP_RUNNER


@dataclass(frozen=True)
class Part:
    """One row of the paper, and the method that merges its tokens."""

    subject: Subject
    method: str
    weights: str
    conditions: Conditions

    def measure(self) -> Iterator[PartResult]:
        """Yield the result so far after each measurement; one that fails leaves its place empty.

        Raises:
            MeasurementError: At the end, where any failed; each has printed its trace.
        """
        # By the name of the field that each fills in, the most valuable first.
        measurements: dict[str, Callable[[], object]] = {
            "cpp": partial(self._timed, self.conditions.program),
            "python": partial(self._timed, None),
            "parity": self._parity,
            "profiles": self._profiles,
        }
        if self.method == WITH_STAGES:
            measurements["stages"] = self._stages
        result, failed = self._described(), []
        for name, measurement in measurements.items():
            try:
                result = replace(result, **{name: measurement()})
            except Exception:  # noqa: BLE001  whatever it is, the others are worth having
                traceback.print_exc()
                failed.append(name)
            yield result
        if failed:
            raise MeasurementError(f"{result.name}: failed: {', '.join(failed)}")

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the merged artifact."""
        return self.subject.recipe(self.method, self.weights)

    @cached_property
    def merged(self) -> Path:
        """The file of the merged artifact, which is built when it is first asked for."""
        return self._build(self.recipe, self.method)

    @cached_property
    def full_token(self) -> Path:
        """The file of the full-token artifact, likewise."""
        return self._build(self.recipe.full_token(), "full_token")

    def build(self, variant: str) -> Path:
        """Build the artifact of one of `VARIANTS`, and return its file."""
        return self.merged if variant == "merged" else self.full_token

    def timed_images(self, gflops: float) -> int:
        """Return how many images to time, by the GFLOPs of an image: a slow row is to be done
        within minutes.
        """
        conditions = self.conditions
        return conditions.timed_images_slow if gflops >= SLOW else conditions.timed_images

    def _build(self, recipe: Recipe, variant: str) -> Path:
        path = built(recipe, f"{self.subject.name}_{variant}", print)
        # A report names its artifact: the folder of the machine it ran on says nothing.
        here = Path.cwd()
        return path.relative_to(here) if path.is_relative_to(here) else path

    @property
    def _manifest(self) -> Manifest:
        return read_manifest(self.merged)

    def _described(self) -> PartResult:
        manifest = self._manifest
        return PartResult(
            row=self.subject.name,
            method=self.method,
            recipe=manifest.recipe,
            weights=describe(self.weights),
            parameters=manifest.model.parameters,
            patches=manifest.patches,
            flops=manifest.flops,
            full_token_flops=read_manifest(self.full_token).flops,
            labels_agree=manifest.agreement.labels,
            commit=current_commit(),
        )

    def _timed(self, program: Path | None) -> Report:
        """Time merged against full-token in one of the two programs; None is the Python one."""
        manifest, conditions = self._manifest, self.conditions
        every_token = [manifest.patches] * len(manifest.flops.stages)
        return bench(
            self.merged,
            conditions.images,
            against=self.full_token,
            batch_sizes=conditions.batch_sizes,
            limit=self.timed_images(manifest.flops.total(every_token) / 1e9),
            repeats=conditions.repeats,
            warmup=conditions.warmup,
            program=program,
        )

    def _parity(self) -> Agreement:
        """Compare label maps of both programs, one image per call."""
        images = find_images(self.conditions.images)[: self.conditions.parity_images]
        with tempfile.TemporaryDirectory() as cpp, tempfile.TemporaryDirectory() as python:
            command = [self.conditions.program, "run", self.merged, *images, f"--output={cpp}"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            with (
                Runner(self.merged) as runner,
                closing(runner.run(images, on_error="raise")) as outcomes,
            ):
                palette = runner.manifest.model.palette
                for name, result in zip(label_map_names(images), outcomes, strict=True):
                    write_label_map(Path(python) / name, result.labels, palette)
            return compare(Path(cpp), Path(python))

    def _profiles(self) -> tuple[Profile, ...]:
        """Profile both models, at the least and the largest batch."""
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
        """Return the first images, ``(B, 3, H, W)`` uint8."""
        files = find_images(self.conditions.images)[: self.conditions.batch_sizes[-1]]
        size = (manifest.input.height, manifest.input.width)
        return torch.stack([fit(decode(file), size) for file in files]).to(device)
