"""The benchmark of sliding windows: what it measures, from answers that are made up."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.bench import turns
from benchmarks.bench.tables import rows_table
from benchmarks.bench.turns import Taker, passes_of, take_turns
from benchmarks.windows import SIZE, enlarge, row_of


class ScriptedEngine:
    """So many seconds a timed pass over 6 images of 24 windows, one pass after the other."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = iter(seconds)

    def ask(self, name: str, **_: Any) -> dict[str, Any]:
        if name in ("open", "warmup"):
            return {}
        windows = {"windows": 24} if name == "end_to_end" else {}
        return {"images": 6, "seconds": next(self.seconds), **windows}


def test_ratios_are_taken_turn_by_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PAUSE_SECONDS", 0)
    taker = Taker("C++", passes_of((1, 8)))
    # In each turn alone and then batched, the model and end to end.
    engine = ScriptedEngine(2.0, 3.0, 1.0, 2.0, 3.0, 6.0, 3.0, 4.0)
    take_turns([(taker, engine)], rounds=2)  # type: ignore[list-item]
    row = row_of(taker, 8)
    assert (row["batch_size"], row["windows_an_image"]) == (8, 4)
    assert row["model_fps"] == pytest.approx((6 / 1 + 6 / 3) / 2)
    assert (row["model_ratio_min"], row["model_ratio_max"]) == (1, 2)
    assert row["end_to_end_ratio"] == pytest.approx(1.5)
    assert rows_table([{"recipe": "cpu_fp32", **row}]).row_count == 1


def test_scenes_are_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (20, 30)).save(tmp_path / "scene.jpg")
    large = tmp_path / "large"
    large.mkdir()
    enlarge([tmp_path / "scene.jpg"], large)
    with Image.open(large / "scene.jpg") as scene:
        assert scene.size == SIZE[::-1]
