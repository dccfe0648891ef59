"""Say which engines an artifact holds, and which of them a machine can run.

Nothing is read but the manifest: an engine that does not fit is never given to a library.
"""

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from mpm_deploy.artifact import Manifest
from mpm_deploy.artifact.manifest import REBUILD
from mpm_deploy.backends.tensorrt.flavors import (
    FLAVORS,
    Capability,
    installed_versions,
    is_same_version,
    written,
)
from mpm_deploy.errors import ArtifactError, HostError, MissingPackageError
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.schema import StructureError, read_structure

ENGINES = "engines"  # the folder in the artifact, and the name of the requirement
ROWS = "rows"

_PART = re.compile(r"\w[\w.+]*", re.ASCII)  # of a folder's name


@dataclass(frozen=True)
class EngineInfo:
    """Describes the engines of one artifact for one kind of machine, one engine a segment.

    Args:
        flavor: The library that made them, a name of `FLAVORS`.
        version: Its version; no other one opens them. See `is_same_version`.
        capability: That of the GPU.
        machine: What ``uname -m`` says.
        bytes: How large each is.
        agreement: On the machine that made them, the share of the sample's labels that they gave;
            None where they have never run.
    """

    flavor: str
    version: str
    capability: Capability
    machine: str
    bytes: tuple[int, ...]
    agreement: float | None = None

    @property
    def folder(self) -> str:
        """The folder of the artifact that they lie in."""
        parts = (self.flavor, self.version, written(self.capability), self.machine)
        return f"{ENGINES}/{'-'.join(parts)}"

    @property
    def library(self) -> str:
        """What made them, for sentences."""
        flavor = FLAVORS.get(self.flavor)
        return f"{flavor.title if flavor else self.flavor} {self.version}"

    def described(self) -> str:
        """Say all of it in a line."""
        ran = (
            "built, never run on a GPU"
            if self.agreement is None
            else f"{self.agreement:.4%} of the sample's labels on the GPU that it was made on"
        )
        size = f"{sum(self.bytes) / 1e6:.1f} MB"
        where = f"capability {written(self.capability)}, {self.machine}"
        return f"{self.library}, {where}, {size}: {ran}"


class Here(NamedTuple):
    """What this machine is to an engine."""

    capability: Capability
    machine: str
    versions: Mapping[str, str]  # of the flavors that are installed, by their names


def look_here(device: torch.device) -> Here:
    """Look at this machine, which has the device."""
    capability = torch.cuda.get_device_capability(device)
    return Here(capability, platform.machine(), installed_versions())


def engines_of(manifest: Manifest, path: Path | str) -> list[EngineInfo]:
    """Read which engines a manifest lists.

    Raises:
        ArtifactError: They are not described as the format says.
    """
    listed = manifest.requires.details.get(ENGINES, [])
    where = f"requires.details.{ENGINES}"
    try:
        if not isinstance(listed, list):
            raise StructureError(where, f"expected a list, got {shown(listed)}")
        engines = [
            read_structure(EngineInfo, each, f"{where}[{index}]")
            for index, each in enumerate(listed)
        ]
        for index, engine in enumerate(engines):
            _check(engine, len(manifest.merge.blocks) + 1, f"{where}[{index}]")
    except StructureError as error:
        raise ArtifactError(f"{path}: manifest: {error}", REBUILD) from error
    return engines


def rows_of(manifest: Manifest, path: Path | str) -> int:
    """Read how many rows a buffer of tokens has at most.

    Raises:
        ArtifactError: That is not there, or no such number.
    """
    rows = manifest.requires.details.get(ROWS)
    if type(rows) is not int or not 0 < rows < 1 << 31:  # True is an int to isinstance
        problem = f"requires.details.{ROWS}: expected a number of rows, got {shown(rows)}"
        raise ArtifactError(f"{path}: manifest: {problem}", REBUILD)
    return rows


def choose(engines: Sequence[EngineInfo], here: Here, path: Path | str) -> EngineInfo:
    """Return the engines that this machine runs.

    Raises:
        HostError: None are for its GPU, or for the version that is installed; says what they are
            for.
        MissingPackageError: What would run them is not installed.
    """
    cure = f"make one for this machine: mpm-deploy engine {path}"
    if not engines:
        raise HostError(f"{path}: holds segments, and no engine yet", cure)
    on_this = [each for each in engines if (each.capability, each.machine) == here[:2]]
    if not on_this:
        there = ", ".join(f"{written(each.capability)} on {each.machine}" for each in engines)
        own = f"{written(here.capability)} on {here.machine}"
        raise HostError(f"{path}: its engines are for capability {there}, and this is {own}", cure)
    for engine in reversed(on_this):
        version = here.versions.get(engine.flavor)
        if version is not None and is_same_version(engine.version, version):
            return engine
    made_by = " and ".join(each.library for each in on_this)
    problem = f"{path}: its engine for this GPU was made by {made_by}"
    others = [f"{FLAVORS[name].title} {version}" for name, version in here.versions.items()]
    if not others:
        raise MissingPackageError(f"{problem}, which is not installed", _install(on_this[-1], cure))
    raise HostError(f"{problem}, and here is {' and '.join(others)}", cure)


def _install(engine: EngineInfo, cure: str) -> str:
    flavor = FLAVORS.get(engine.flavor)
    if flavor is None:
        return cure
    packages = " ".join(f"{name}=={engine.version}" for name in flavor.packages.split())
    return f"pip install {packages}; or install another version, and {cure}"


def _check(engine: EngineInfo, segments: int, where: str) -> None:
    """Check what the types cannot say."""
    for key in ("flavor", "version", "machine"):
        if not _PART.fullmatch(getattr(engine, key)):
            raise StructureError(f"{where}.{key}", "expected letters, digits, '.', '_' and '+'")
    if min(engine.capability) < 0:
        raise StructureError(f"{where}.capability", "expected numbers from 0 up")
    if len(engine.bytes) != segments or min(engine.bytes) <= 0:
        raise StructureError(f"{where}.bytes", f"expected {segments} sizes above 0")
    if not 0 <= (engine.agreement or 0) <= 1:
        raise StructureError(f"{where}.agreement", "expected 0 to 1, or null")
