"""The fuzzers themselves: that their inputs reach what they are for, and that faults are seen."""

import os
from pathlib import Path

import pytest

from mpm_deploy.errors import ImageError
from tools.fuzz import differential, python_readers
from tools.fuzz.findings import Budget, Findings, shrink, table_of
from tools.fuzz.formats import FORMATS, Format

NAMES = [*FORMATS]
COMPARED = [name for name, format in FORMATS.items() if format.driver]
INPUTS = 60
LEAST_ACCEPTED = 3  # of so many mutated ones: else nothing behind the first check is tried


def is_accepted(format: Format, data: bytes) -> bool:
    try:
        format.read(format.pack(data))
    except Exception:  # noqa: BLE001 - which ones are faults is for the fuzzers to say
        return False
    return True


@pytest.fixture
def driver_program() -> None:
    if not differential.DRIVER.exists():
        missing = f"{differential.DRIVER} is not built: make cpp"
        (pytest.fail if os.environ.get("MPM_REQUIRE_CPP") else pytest.skip)(missing)


def raising(error: Exception) -> Format:
    def read(data: bytes) -> None:
        raise error

    return Format("exif", FORMATS["exif"].mutate, read)


@pytest.mark.parametrize("name", NAMES)
def test_most_seeds_are_sound(name: str) -> None:
    format = FORMATS[name]
    accepted = [is_accepted(format, seed) for seed in format.seeds]
    assert sum(accepted) >= 0.5 * len(accepted)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_differ_and_come_again(name: str) -> None:
    format = FORMATS[name]
    inputs = [format.input(0, index) for index in range(40)]
    assert inputs == [format.input(0, index) for index in range(40)]
    assert len({*inputs}) > 20 and inputs != [format.input(1, index) for index in range(40)]


@pytest.mark.parametrize("name", NAMES)
def test_damage_goes_past_the_first_checks(name: str) -> None:
    format = FORMATS[name]
    accepted = [is_accepted(format, format.input(0, index)) for index in range(INPUTS)]
    assert sum(accepted) >= LEAST_ACCEPTED


@pytest.mark.parametrize("name", COMPARED)
def test_both_languages_read_the_first_seed_alike(name: str, driver_program: None) -> None:
    format = FORMATS[name]
    driver = differential.Driver(str(format.driver))
    assert "accepted" in driver.ask(format.pack(format.seeds[0]))
    assert differential.compare(format, driver, format.seeds[0]) is None
    driver.close()


def test_a_difference_is_named(driver_program: None) -> None:
    driver = differential.Driver("image")
    refusing = raising(ImageError("at 12: no"))
    found = differential.compare(refusing, driver, FORMATS["png"].seeds[0])
    assert found == "Python alone refuses: at N: no"
    driver.close()


def test_anything_but_a_refusal_is_a_fault() -> None:
    assert python_readers.fault_of(raising(ImageError("no")), b"") is None
    assert "ZeroDivisionError" in str(python_readers.fault_of(raising(ZeroDivisionError()), b""))


def test_taking_long_or_much_memory_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    large = Format("exif", FORMATS["exif"].mutate, lambda data: bytearray(b"x" * (64 << 20)))

    def kinds() -> set[str]:
        # In a child, in which no thread of another test's gives memory back meanwhile.
        budget = Budget(seconds=None, count=3)
        return {*python_readers.fuzz(large, tmp_path, budget, seed=0).kinds}

    assert not kinds()
    monkeypatch.setattr(python_readers, "MOST_BYTES", 16 << 20)
    assert kinds() == {"takes more than 16 MB"}
    monkeypatch.setattr(python_readers, "MOST_SECONDS", 0.0)
    assert python_readers.fault_of(large, b"") == "takes more than 0 s"


def test_a_process_that_dies_is_a_fault(tmp_path: Path) -> None:
    dying = Format("exif", FORMATS["exif"].mutate, lambda data: os._exit(7) if data[2:] else None)
    parent = os.getpid()
    only_children = Format(
        "exif", dying.mutate, lambda data: None if os.getpid() == parent else dying.read(data)
    )
    found = python_readers.fuzz(only_children, tmp_path, Budget(seconds=None, count=3), seed=0)
    assert found.executions == 3
    assert found.kinds["the process ends with 7"] >= 2


def test_inputs_shrink_while_they_show_the_fault() -> None:
    assert shrink(b"many bytes, an x and more", lambda data: b"x" in data) == b"x"


def test_the_table_says_what_was_found(tmp_path: Path) -> None:
    findings = Findings("python:png", tmp_path, executions=1234, seconds=2.0)
    findings.add("KeyError in png.py, read", b"abc")
    table = table_of([findings])
    assert "1,234" in table and "1 times KeyError in png.py, read" in table
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"abc"]
