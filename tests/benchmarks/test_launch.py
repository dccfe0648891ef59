"""The steps of a rented GPU's minutes: what runs beside what, and what a failure costs."""

import json
import sys
import time
from pathlib import Path

import pytest

from benchmarks.gpu import launch
from benchmarks.gpu.launch import Launch, keep_weights
from benchmarks.gpu.schedule import OTHER_MODELS, Step, schedule
from tests.backends.test_cuda import OTHERS


def step(name: str, shell: str = "true", **settings: object) -> Step:
    options = {"seconds": 10.0, "expected": 0.0, **settings}
    return Step(name, ("bash", "-c", shell), **options)  # type: ignore[arg-type]


def run(out: Path, *steps: Step, seconds: float = 20.0) -> Launch:
    out.mkdir(exist_ok=True)
    launched = Launch(out, time.monotonic() + seconds, side_by_side=4)
    launched.run(steps)
    return launched


def endings(launched: Launch) -> dict[str, str]:
    return {name: outcome.ended for name, outcome in launched.outcomes.items()}


@pytest.fixture(autouse=True)
def no_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "RESULTS", tmp_path)


def test_one_that_fails_costs_only_what_needs_it(tmp_path: Path) -> None:
    launched = run(
        tmp_path / "out",
        step("fails", "echo why it failed; exit 3"),
        step("needs it", needs=("fails",)),
        step("comes after it", after=("fails",)),
        step("is another"),
    )
    assert endings(launched) == {
        "fails": "failed with code 3",
        "needs it": "needs fails",
        "comes after it": "done",
        "is another": "done",
    }
    assert "why it failed" in (tmp_path / "out" / "log.txt").read_text()
    written = json.loads((tmp_path / "out" / "steps.json").read_text())
    assert [each["name"] for each in written] == list(launched.outcomes)


def test_one_that_dies_or_never_ends_is_told(tmp_path: Path) -> None:
    begin = time.monotonic()
    launched = run(
        tmp_path / "out",
        step("dies", "kill -SEGV $$"),
        step("never ends", "echo begun; sleep 60 & wait", seconds=1.0),
        step("is another", alone=True, after=("dies", "never ends")),
    )
    assert endings(launched) == {
        "dies": "failed with SIGSEGV",
        "never ends": "killed after the 1 s it is allowed",
        "is another": "done",
    }
    assert time.monotonic() - begin < 10
    assert "begun" in (tmp_path / "out" / "log.txt").read_text()


def test_all_ends_before_the_minutes_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_LAST_SECONDS", 1.0)
    begin = time.monotonic()
    launched = run(
        tmp_path / "out",
        step("is long", "sleep 60", seconds=60.0),
        step("comes too late", expected=30.0),
        seconds=3.0,
    )
    assert time.monotonic() - begin < 3
    assert endings(launched)["is long"].endswith("the minutes are over")
    assert endings(launched)["comes too late"] == "no time left to begin it"


def test_what_times_something_runs_alone(tmp_path: Path) -> None:
    """Each writes when it begins and ends: nothing of another lies between."""
    log = tmp_path / "order"
    say = f"echo begin $0 >> {log}; sleep 0.3; echo end $0 >> {log}"
    steps = [
        Step(name, ("bash", "-c", say, name), 10.0, 0.0, alone=name.startswith("alone"))
        for name in ("one", "two", "alone", "alone too", "three")
    ]
    run(tmp_path / "out", *steps)
    said = log.read_text().splitlines()
    assert {*said[:2]} == {"begin one", "begin two"}  # side by side
    alone = [line for name in ("alone", "alone too") for line in (f"begin {name}", f"end {name}")]
    assert said[4:8] == alone
    assert said[8:] == ["begin three", "end three"]


def test_nothing_overtakes_what_times_something_but_its_like(tmp_path: Path) -> None:
    log = tmp_path / "order"
    say = f"echo $0 >> {log}; sleep 0.2"
    steps = [
        Step("slow build", ("bash", "-c", f"sleep 0.8; {say}", "slow build"), 10.0, 0.0),
        Step("time slow", ("bash", "-c", say, "time slow"), 10.0, 0.0, ("slow build",), alone=True),
        Step("next build", ("bash", "-c", say, "next build"), 10.0, 0.0),
    ]
    run(tmp_path / "out", *steps)
    assert log.read_text().splitlines() == ["slow build", "time slow", "next build"]


def test_records_of_other_gpus_stay_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    monkeypatch.setattr(launch, "RESULTS", results)
    (results / "h100-another.json").write_text("{}")
    time.sleep(0.05)
    run(tmp_path / "out", step("writes", f"sleep 0.05; echo '{{}}' > {results}/h100-this.json"))
    assert sorted(path.name for path in (tmp_path / "out").glob("h100-*")) == ["h100-this.json"]


def test_weights_are_cut_into_files_that_may_be_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_LARGEST_FILE", 10)
    out, weights = tmp_path / "out", tmp_path / "weights"
    out.mkdir(), weights.mkdir()
    for name, size in (("seg_t16_mask", 25), ("seg_s16_mask", 100), ("other", 1)):
        (weights / f"{name}.safetensors").write_bytes(bytes(range(size)))
        (weights / f"{name}.toml").write_text("about")
    keep_weights(out, weights)
    parts = sorted(out.glob("*.safetensors"))
    assert b"".join(path.read_bytes() for path in parts) == bytes(range(25))
    assert len(list(out.iterdir())) == 4  # the larger ones would be too many files


def test_the_schedule_begins_with_what_is_worth_most() -> None:
    steps = schedule(seconds=600)
    names = [each.name for each in steps]
    assert names[0] == "cpp_runner" and len(names) == len(set(names))
    timed = [name for name in names if name.startswith("time")]
    assert timed[:2] == [
        "time seg_l16_mask-512-bfloat16 mpm",
        "time seg_b16_mask-512-bfloat16 mpm",
    ]
    assert all(each.alone == each.name.startswith("time") for each in steps)
    known = set()
    for each in steps:
        assert {*each.needs, *each.after} <= known, each.name
        known.add(each.name)


def test_the_next_models_train_while_these_are_built() -> None:
    names = [each.name for each in schedule(seconds=600)]
    first_timing = names.index("time seg_l16_mask-512-bfloat16 mpm")
    assert names.index("build seg_b16_mask-512-bfloat16 full_token") < first_timing
    assert names.index("train seg_t16_mask") < first_timing
    assert names.index("build seg_t16_mask-512-bfloat16 mpm") > first_timing


def test_other_models_are_tried_once_tables_5_and_1_are_measured() -> None:
    assert set(OTHER_MODELS) == {*OTHERS}
    names = [each.name for each in schedule(seconds=600)]
    first = names.index(f"test model {OTHER_MODELS[0]}")
    assert names.index("time seg_t16_mask-512-float32 mpm") < first
    assert first < names.index("time seg_l16_mask-512-bfloat16 tome")


def test_a_rehearsal_has_a_row_of_each_group_and_the_way_of_a_gpu() -> None:
    names = [each.name for each in schedule(seconds=600, stand_ins=True)]
    methods = [name.split()[-1] for name in names if name.startswith("time")]
    assert methods == ["mpm", "mpm", "tome", "mpm", "algm"]
    hollow = {f"a GPU that computes nothing {method}" for method in ("full_token", *methods)}
    assert hollow <= {*names}


def test_training_takes_a_share_of_the_minutes_and_never_more_than_a_minute_and_a_half() -> None:
    for seconds, trained in ((300, "45"), (3000, "90")):
        commands = [s.command for s in schedule(seconds) if s.name == "train seg_l16_mask"]
        assert commands == [
            (sys.executable, "-m", "benchmarks.gpu.prepare", "train", "seg_l16_mask", trained)
        ]
