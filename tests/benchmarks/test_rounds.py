"""Turns, with engines that answer at once."""

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bench import turns
from benchmarks.peers import compare, contestants
from benchmarks.peers.contestants import Contestant
from benchmarks.peers.models import MODELS
from benchmarks.peers.results import EngineResult
from benchmarks.peers.variants import Variant
from mpm_deploy.errors import MpmError
from mpm_deploy.images.decode import find_images

CORES, ROUNDS = 4, 3


@dataclass
class QuickEngine:
    """A second for an image alone, half of one side by side; ``fails`` says when it cannot."""

    fails: Callable[[str, int, int], bool]
    asked: list[tuple[str, int]] = field(default_factory=list)

    def ask(self, name: str, batch_size: int = 1, **_: Any) -> dict[str, Any]:
        self.asked.append((name, batch_size))
        if self.fails(name, batch_size, self.asked.count((name, batch_size))):
            raise MpmError(f"{name} of {batch_size}: no")
        return {"images": 2, "seconds": 2.0 if batch_size == 1 else 1.0}


@dataclass
class QuickContestant(Contestant):
    """The images are its label maps."""

    engine: QuickEngine = field(kw_only=True)

    def prepare(self, folder: Path) -> None:
        self.note = "prepared"

    def start(self, folder: Path) -> Any:
        return nullcontext(self.engine)

    def write_label_maps(self, engine: Any, images: Path, output: Path) -> None:
        for path in images.iterdir():
            shutil.copy(path, output)


@pytest.fixture
def result_of(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[QuickEngine], EngineResult]:
    """Takes turns with one engine."""
    monkeypatch.setattr(compare, "measure_cpu", lambda: {"float32": 1.0})
    monkeypatch.setattr(contestants, "cores", lambda: CORES)
    monkeypatch.setattr(turns, "PAUSE_SECONDS", 0)

    def run(engine: QuickEngine) -> EngineResult:
        model = MODELS["seg_t16_mask"]
        how = compare.Conditions(
            image_folder,
            rounds=ROUNDS,
            warmup=1,
            work=tmp_path / "work",
            say=lambda step: None,
            judged=find_images(image_folder),
        )
        quick = QuickContestant(model, "quick", Variant(), tmp_path, engine=engine)
        result = compare.compare(model, [quick], how)
        (found,) = result.engines
        return found

    return run


def test_a_turn_is_the_model_and_both_ways(
    result_of: Callable[[QuickEngine], EngineResult],
) -> None:
    engine = QuickEngine(fails=lambda *_: False)
    result = result_of(engine)
    warmup = [("open", 1), ("warmup", 1), ("warmup", CORES)]
    turn = [("model", 1), ("end_to_end", 1), ("end_to_end", CORES)]
    assert engine.asked == [*warmup, *ROUNDS * turn]
    assert result.end_to_end_fps == (1.0,) * ROUNDS
    assert result.side_by_side_fps == result.best_fps == (2.0,) * ROUNDS
    assert result.not_side_by_side is None
    assert result.note == "prepared"


@pytest.mark.parametrize(("name", "turn"), [("warmup", 1), ("end_to_end", 1), ("end_to_end", 2)])
def test_failing_side_by_side_leaves_what_it_does_alone(
    name: str, turn: int, result_of: Callable[[QuickEngine], EngineResult]
) -> None:
    engine = QuickEngine(fails=lambda *asked: asked == (name, CORES, turn))
    result = result_of(engine)
    assert result.cannot is None
    assert result.not_side_by_side == f"{name} of {CORES}: no"
    assert result.side_by_side_fps == ()
    assert result.best_fps == (1.0,) * ROUNDS
    assert engine.asked.count(("end_to_end", CORES)) == (turn if name == "end_to_end" else 0)


def test_failing_alone_is_failing(result_of: Callable[[QuickEngine], EngineResult]) -> None:
    result = result_of(QuickEngine(fails=lambda *asked: asked == ("end_to_end", 1, 2)))
    assert result.cannot == "end_to_end of 1: no"
    assert (result.end_to_end_fps, result.side_by_side_fps) == ((), ())
