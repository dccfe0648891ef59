"""The one run of EVA-01: its tables and page, from figures that were made up."""

from typing import Any

from benchmarks.bench.turns import Taker
from benchmarks.eva_run import WHOLE, run_row
from benchmarks.pages import eva


def built(model: str, *clusters: float) -> dict[str, Any]:
    return {
        "model": model,
        "parameters": 1.2e9,
        "cpu_seconds": 600.0,
        "peak_memory_mib": 10240.0,
        "file_mib": 2560.0,
        "gate_images": 8,
        "gate_labels": 0.9912,
        "gate_clusters": [*clusters],
    }


def ran(fps: tuple[float, ...], *kept: float) -> dict[str, Any]:
    taker = Taker("C++", (WHOLE,))
    for each in fps:
        taker.answers[WHOLE].append(
            {
                "images": 1,
                "seconds": 1 / each,
                "peak_memory_mib": 4096.0,
                "gflops": 9000.0,
                "tokens_kept": {"mean": [*kept]},
            }
        )
    return run_row("C++", "merged" if kept else "full-token", taker)


def record() -> dict[str, Any]:
    return {
        "recipe": "cpu_bf16",
        "rounds": 3,
        "built": [built("full-token"), built("merged", 0.97, 0.96)],
        "ran": [ran((0.02, 0.01, 0.05)), ran((0.04, 0.02, 0.03), 2400.4, 1800.2)],
        "ratios": [
            {
                "program": "C++",
                "speed_ratio": 1.25,
                "speed_ratio_min": 1.2,
                "speed_ratio_max": 1.3,
                "flop_ratio": 1.38,
            }
        ],
        "labels_equal": {"full-token": 1.0, "merged": 0.999},
        "machine": {"cpu": "a CPU", "cores": 2},
        "versions": {"torch": "2.15.0"},
        "commit": "abc",
    }


def test_a_row_has_the_median_turn() -> None:
    assert ran((0.02, 0.01, 0.05))["seconds_an_image"] == 50


def test_the_page_holds_building_running_and_ratios() -> None:
    lines = eva._run_page(record()).splitlines()
    building = next(line for line in lines if line.split()[:1] == ["merged"])
    assert building.split()[1:] == ["10.0", "10.0", "2.50", "99.12", "97.00,", "96.00"]
    running = next(line for line in lines if line.split()[:2] == ["C++", "merged"])
    assert running.split()[2:8] == ["33.3", "4.0", "2400", "→", "1800", "9,000"]
    assert running.split()[8:] == ["1.38", "1.25", "(1.20", "–", "1.30)"]
    assert "100.00% of pixels the same label full-token, 99.90%" in " ".join(lines)
