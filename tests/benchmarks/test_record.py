"""What a record says of the checkout that it was measured in."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import record


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One commit: a source and a record."""
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(record, "RESULTS", tmp_path / "benchmarks" / "results")
    record.RESULTS.mkdir(parents=True)
    for path in (tmp_path / "source.py", record.RESULTS / "speed.json"):
        path.write_text("1")
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_commit_is_named_by_twelve_digits(checkout: Path) -> None:
    assert len(record.current_commit()) == 12


def test_a_changed_source_is_said(checkout: Path) -> None:
    (checkout / "source.py").write_text("2")
    assert record.current_commit().endswith("-dirty")


def test_another_record_is_no_change(checkout: Path) -> None:
    (record.RESULTS / "speed.json").write_text("2")
    (record.RESULTS / "new.json").write_text("3")
    assert len(record.current_commit()) == 12
