import os
import sys
import time
from pathlib import Path

import pytest

from mpm_deploy.errors import HostError, InputError, MpmError
from mpm_deploy.measure.speed import engine as engine_module
from mpm_deploy.measure.speed.engine import Engine

ANSWER = """
import os, sys
*arguments, descriptor = sys.argv[1:]
def answer(line=""):
    os.write(int(descriptor.removeprefix("--answers=")), f"{line}\\n".encode())
"""
ECHO = """
import json
for line in sys.stdin:
    print("what a library prints", flush=True)
    answer(json.dumps({"arguments": arguments, "request": json.loads(line)}))
"""


def engine_of(script: str, tmp_path: Path, **options: object) -> Engine:
    (tmp_path / "program.py").write_text(ANSWER + script)
    program = (sys.executable, str(tmp_path / "program.py"))
    return Engine("a.pt", "photos", program=program, **options)  # type: ignore[arg-type]


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_requests_and_options_arrive(tmp_path: Path) -> None:
    options = {
        "device": "cpu",
        "threads": 2,
        "workers": 4,
        "stride": None,
        "max_pixels": 9,
        "trust": Path("k"),
    }
    with engine_of(ECHO, tmp_path, limit=3, **options) as engine:
        answer = engine.ask("warmup", batch_size=2, batches=None)
        assert answer["request"] == {"pass": "warmup", "batch_size": 2, "batches": None}
        host = ["--device=cpu", "--threads=2", "--workers=4"]
        given = ["--limit=3", *host, "--max-pixels=9", "--trust=k"]
        assert answer["arguments"] == ["worker", "a.pt", "photos", *given]
        assert engine.ask("open")["request"] == {"pass": "open"}


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = open_descriptors()
    with engine_of(ECHO, tmp_path) as engine:
        engine.ask("open")
    with pytest.raises(InputError):
        Engine("a.pt", "photos", program=(str(tmp_path / "nothing"),))
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (', "kind": "HostError"', HostError),
        (', "kind": "InputError"', InputError),
        (', "kind": "OfLaterVersion"', MpmError),
        (', "kind": "Any"', MpmError),
        ("", MpmError),
    ],
)
def test_an_error_there_is_one_of_that_kind_here(
    kind: str, expected: type[MpmError], tmp_path: Path
) -> None:
    script = f"""input(); answer('{{"error": "a.pt: broken", "hint": "rebuild it"{kind}}}')"""
    with engine_of(script, tmp_path) as engine, pytest.raises(MpmError) as caught:
        engine.ask("open")
    assert type(caught.value) is expected
    assert (caught.value.problem, caught.value.hint) == ("a.pt: broken", "rebuild it")


@pytest.mark.parametrize("script", ["raise SystemExit(7)", "input(); raise SystemExit(7)"])
def test_a_process_that_dies_is_named_with_its_exit_code(script: str, tmp_path: Path) -> None:
    with (
        engine_of(script, tmp_path) as engine,
        pytest.raises(MpmError, match=r"a\.pt: its worker ended with exit code 7"),
    ):
        for _ in range(3):
            engine.ask("open")


def test_an_answer_that_is_no_json(tmp_path: Path) -> None:
    with (
        engine_of("input(); answer('hello')", tmp_path) as engine,
        pytest.raises(MpmError, match=r"its worker answered 'hello"),
    ):
        engine.ask("open")


def test_a_program_that_there_is_not(tmp_path: Path) -> None:
    problem = "nothing: expected a program that can be started, got: No such file"
    with pytest.raises(InputError, match=problem):
        Engine("a.pt", "photos", program=(str(tmp_path / "nothing"),))


def test_a_process_that_does_not_leave_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_SECONDS_TO_LEAVE", 0.2)
    begin = time.perf_counter()
    with engine_of("import time; time.sleep(60)", tmp_path):
        pass
    assert time.perf_counter() - begin < 30


def test_after_an_error_nobody_waits_for_a_pass(tmp_path: Path) -> None:
    begin = time.monotonic()
    with (
        pytest.raises(KeyboardInterrupt),
        engine_of("import time; answer(); time.sleep(60)", tmp_path) as engine,
    ):
        raise KeyboardInterrupt
    assert time.monotonic() - begin < engine_module._SECONDS_TO_LEAVE
    with pytest.raises(ProcessLookupError):
        os.kill(engine.process_id, 0)
