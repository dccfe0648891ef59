"""Lists what is timed: every peer in each of its variants, and ours in each recipe and program."""

import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.peers.cores import cores
from benchmarks.peers.engines import PEERS, Peer, Variant
from benchmarks.peers.subjects import Subject
from benchmarks.record import ROOT
from mpm_deploy.errors import MpmError
from mpm_deploy.measure.speed.engine import PROGRAM, Engine
from mpm_deploy.recipe import Recipe, builtin_recipes

CPP_RUNNER = (str(ROOT / "build" / "cpp_runner"),)
_PEERS_PROGRAM = (sys.executable, "-m", "benchmarks.peers")


@dataclass(frozen=True)
class Contestant(ABC):
    """One row of the table: an engine with one model.

    Attributes:
        subject: The model.
        name: The name that the table shows.
        variant: Its precision, and whether it merges.
        cache: The folder for what is converted and built.
    """

    subject: Subject
    name: str
    variant: Variant
    cache: Path

    @abstractmethod
    def prepare(self, folder: Path) -> str:
        """Convert or build, in a process that ends; files that are there already are kept.

        Returns:
            What a reader should know, as the route taken.

        Raises:
            MpmError: It cannot run this model; the error says why.
        """

    @abstractmethod
    def start(self, folder: Path) -> Engine:
        """Start its process, for the images of a folder."""

    @abstractmethod
    def write_label_maps(self, engine: Engine, folder: Path, output: Path) -> None:
        """Write a PNG per image into the empty folder ``output``."""

    @property
    def batch_side_by_side(self) -> int:
        """The batch size at which it has an image on each core."""
        return cores()


@dataclass(frozen=True)
class PeerContestant(Contestant):
    """A peer, one of `PEERS`."""

    peer: Peer

    def prepare(self, folder: Path) -> str:
        with self.start(folder) as engine:
            note: str = engine.ask("convert")["note"]
        return note

    def start(self, folder: Path) -> Engine:
        task = self.cache / self.subject.name / self.peer.name / self.variant.name
        return Engine(task, folder, program=_PEERS_PROGRAM)

    def write_label_maps(self, engine: Engine, folder: Path, output: Path) -> None:
        engine.ask("label_maps", folder=str(output))


@dataclass(frozen=True)
class OwnContestant(Contestant):
    """An artifact in one of our two programs.

    Attributes:
        recipe: A built-in recipe, for the subject.
        program: The command whose subcommands ``worker`` and ``run`` are started.
    """

    recipe: Recipe
    program: tuple[str, ...]

    @property
    def artifact(self) -> Path:
        """The artifact's file, in the cache."""
        suffix = self.recipe.backend.member.suffix
        folder = self.cache / self.subject.name / "mpm_deploy"
        return folder / f"{self.recipe.name}-{self.variant.name}{suffix}"

    def prepare(self, folder: Path) -> str:
        self.artifact.parent.mkdir(parents=True, exist_ok=True)
        if not self.artifact.exists():
            _run([*PROGRAM, "build", *self._build_options(), "-o", str(self.artifact)])
        return ""

    def start(self, folder: Path) -> Engine:
        return Engine(self.artifact, folder, program=self.program)

    def write_label_maps(self, engine: Engine, folder: Path, output: Path) -> None:
        command = [*self.program, "run", str(self.artifact), str(folder)]
        _run([*command, "--output", str(output)])

    @property
    def batch_side_by_side(self) -> int:
        """The batch size: four images for each core, so that a core that is done with its first
        takes another.
        """
        return 4 * cores()

    def _build_options(self) -> list[str]:
        settings = [f"--set={setting}" for setting in self.subject.settings_in(self.variant.dtype)]
        full_token = [] if self.variant.merged else ["--full-token"]
        return ["--recipe", self.recipe.name, *settings, *full_token]


def contestants(
    subject: Subject, cache: Path, names: Sequence[str] | None = None
) -> list[Contestant]:
    """Return all contestants whose packages and programs are here; they convert into ``cache``.

    Args:
        subject: The model.
        cache: The folder for what is converted and built.
        names: Beginnings of the names that are wanted; None is all.
    """
    everyone = [*_peers(subject, cache), *_own(subject, cache)]
    return [one for one in everyone if names is None or one.name.startswith(tuple(names))]


def left_out() -> list[str]:
    """Return a sentence for everything that is not installed here, with its cure."""
    sentences = [
        f"{peer.name} is left out: {', '.join(peer.missing())} not installed: "
        "pip install 'mpm-deploy[peers]'"
        for peer in PEERS.values()
        if peer.missing()
    ]
    if not Path(*CPP_RUNNER).exists():
        sentences.append(f"the C++ program is left out: {CPP_RUNNER[0]} is not built: make program")
    return sentences


def _peers(subject: Subject, cache: Path) -> Iterator[Contestant]:
    for peer in PEERS.values():
        if not peer.missing():
            for variant in peer.variants:
                yield PeerContestant(subject, peer.name, variant, cache, peer)


def _own(subject: Subject, cache: Path) -> Iterator[Contestant]:
    for builtin in builtin_recipes():
        if not builtin.name.startswith("cpu_"):
            continue
        recipe = subject.recipe(builtin.name)
        own = partial(OwnContestant, subject, cache=cache, recipe=recipe)
        merged = Variant(recipe.backend.dtype, merged=True)
        full_token = Variant(recipe.backend.dtype)
        yield own(f"{recipe.name}, Python", merged, program=PROGRAM)
        yield own(f"{recipe.name}, Python", full_token, program=PROGRAM)
        if Path(*CPP_RUNNER).exists():
            yield own(f"{recipe.name}, C++", merged, program=CPP_RUNNER)


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
