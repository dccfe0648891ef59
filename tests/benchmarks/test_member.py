"""Members of the bench: what they need, what they keep, and that none is forgotten."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import MEMBERS
from benchmarks.bench import member
from benchmarks.bench.member import Finding, Member
from mpm_deploy.ops.label_map import native

BENCHMARKS = Path(member.__file__).parents[1]


def counting(options: argparse.Namespace) -> Iterator[Finding]:
    """Two findings, the later one with all of the earlier."""
    yield Finding({"rows": [1]}, ["one"])
    yield Finding({"rows": [1, 2]}, ["two"])


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The records that were written."""
    records: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(member, "write_result", lambda *record: records.append(record))
    return records


def test_every_finding_is_shown_and_kept(
    kept: list[tuple[str, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    Member("counting", "numbers", counting).run([])
    assert kept == [("counting", {"rows": [1]}), ("counting", {"rows": [1, 2]})]
    assert capsys.readouterr().out.split() == ["one", "two"]


def test_a_dry_run_keeps_nothing(kept: list[tuple[str, dict[str, Any]]]) -> None:
    Member("counting", "numbers", counting).run(["--dry"])
    assert kept == []


def test_what_is_missing_is_said_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    program = tmp_path / "cpp_runner"
    with pytest.raises(SystemExit):
        Member("counting", "numbers", counting, needs=("no_such_package", program)).run([])
    assert f"not here: no_such_package, {program}" in capsys.readouterr().err


def test_nothing_is_measured_without_the_native_library(
    kept: list[tuple[str, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(native, "available", lambda: False)
    with pytest.raises(SystemExit):
        Member("counting", "numbers", counting).run([])
    assert "its native library is not here" in capsys.readouterr().err
    assert kept == []


def test_no_member_is_forgotten() -> None:
    modules = [path.stem for path in BENCHMARKS.glob("*.py") if "\nMEMBER = " in path.read_text()]
    assert sorted(MEMBERS) == sorted(modules)
