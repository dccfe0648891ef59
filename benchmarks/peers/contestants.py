"""Lists what is timed: every peer in each of its variants, and ours in each recipe and program."""

import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bench.turns import Pass, Taker
from benchmarks.peers.engines import PEERS
from benchmarks.peers.models import Model, cores
from benchmarks.peers.variants import Variant
from benchmarks.record import CPP_RUNNER, PROGRAMS
from mpm_deploy.errors import MpmError
from mpm_deploy.measure.speed.engine import PROGRAM, Engine
from mpm_deploy.recipe import Recipe, builtin_recipes

MODEL, END_TO_END = Pass("model"), Pass("end_to_end")
_PEERS_PROGRAM = (sys.executable, "-m", "benchmarks.peers.worker")


@dataclass
class Contestant(ABC):
    """One row of the table: an engine with one model, which takes turns with others.

    Attributes:
        model: The model.
        name: The name that the table shows.
        variant: Its precision and tokens.
        cache: The folder for what is converted and built.
        note: What a reader should know, as the route taken; known once it is prepared.
    """

    model: Model
    name: str
    variant: Variant
    cache: Path
    note: str = ""
    images_a_core = 1

    def __post_init__(self) -> None:
        self.side_by_side = Pass("end_to_end", self.images_a_core * cores(), optional=True)
        passes = (MODEL, END_TO_END, self.side_by_side)
        self.taker = Taker(f"{self.name} {self.variant.name}", passes)

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """Convert or build, in a process that ends; files that are there already are kept.

        Raises:
            MpmError: It cannot run this model; the error says why.
        """

    @abstractmethod
    def start(self, folder: Path) -> Engine:
        """Start its process, for the images of a folder."""

    @abstractmethod
    def write_label_maps(self, engine: Engine, images: Path, output: Path) -> None:
        """Write a PNG per image of a folder into the empty folder ``output``."""


@dataclass
class PeerContestant(Contestant):
    """A peer, one of `PEERS`."""

    def prepare(self, folder: Path) -> None:
        with self.start(folder) as engine:
            self.note = engine.ask("convert")["note"]

    def start(self, folder: Path) -> Engine:
        task = self.cache / self.model.name / self.name / self.variant.name
        return Engine(task, folder, program=_PEERS_PROGRAM)

    def write_label_maps(self, engine: Engine, images: Path, output: Path) -> None:
        engine.ask("label_maps", images=str(images), output=str(output))


@dataclass
class OwnContestant(Contestant):
    """An artifact of a built-in recipe, for the model, in one of our two programs."""

    recipe: Recipe = field(kw_only=True)
    program: str = field(kw_only=True)
    images_a_core = 4  # so that a core that is done with its first takes another

    @property
    def artifact(self) -> Path:
        """The artifact's file, in the cache."""
        suffix = self.recipe.backend.member.suffix
        folder = self.cache / self.model.name / "mpm_deploy"
        return folder / f"{self.recipe.name}-{self.variant.name}{suffix}"

    def prepare(self, folder: Path) -> None:
        self.artifact.parent.mkdir(parents=True, exist_ok=True)
        if not self.artifact.exists():
            options = [f"--set={each}" for each in self.model.settings_in(self.variant.dtype)]
            options += [] if self.variant.merged else ["--full-token"]
            if self.variant.blocks:
                options += [f"--set=merge.blocks={[*self.variant.blocks]}"]
            options += ["-o", str(self.artifact)]
            _run([*PROGRAM, "build", "--recipe", self.recipe.name, *options])

    def start(self, folder: Path) -> Engine:
        return Engine(self.artifact, folder, program=PROGRAMS[self.program])

    def write_label_maps(self, engine: Engine, images: Path, output: Path) -> None:
        command = [*PROGRAMS[self.program], "run", str(self.artifact), str(images)]
        _run([*command, "--output", str(output)])


def contestants(model: Model, cache: Path, names: Sequence[str] | None = None) -> list[Contestant]:
    """Return all contestants whose packages and programs are here.

    Args:
        model: The model.
        cache: The folder for what is converted and built.
        names: Beginnings of the names that are wanted; None is all.
    """
    everyone = [*_peers(model, cache), *_own(model, cache)]
    return [one for one in everyone if names is None or one.name.startswith(tuple(names))]


def left_out() -> Iterator[str]:
    """Yield a sentence for everything that is not installed here, with its cure."""
    for peer in PEERS.values():
        if peer.missing():
            missing = ", ".join(peer.missing())
            cure = "pip install 'mpm-deploy[peers]'"
            yield f"{peer.name} is left out: {missing} not installed: {cure}"
    if not CPP_RUNNER.exists():
        yield f"the C++ program is left out: {CPP_RUNNER} is not built: make program"


def _peers(model: Model, cache: Path) -> Iterator[Contestant]:
    for peer in PEERS.values():
        if not peer.missing():
            for variant in model.variants(peer.variants):
                yield PeerContestant(model, peer.name, variant, cache)


def _own(model: Model, cache: Path) -> Iterator[Contestant]:
    kinds = {"Python": (True, False), "C++": (True,) if CPP_RUNNER.exists() else ()}
    for builtin in builtin_recipes():
        if builtin.name.startswith("cpu_"):
            recipe, dtype = model.recipe(builtin.name), builtin.backend.dtype
            for program, merged in kinds.items():
                for variant in model.variants(Variant(dtype, each) for each in merged):
                    about = f"{recipe.name}, {program}", variant, cache
                    yield OwnContestant(model, *about, recipe=recipe, program=program)


def _run(command: list[str]) -> None:
    """Run a command of ours to its end.

    Raises:
        MpmError: It failed; the error holds the last line it printed.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        said = [line for line in lines if not line.lstrip().startswith("hint:")]
        raise MpmError(said[-1] if said else f"exit code {done.returncode}")
