"""How long waiting threads stay awake: set for libgomp, and never over a user's word."""

import os
import sys
from pathlib import Path

import pytest

from mpm_deploy.support.waiting import wait_briefly


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process that has no torch yet, and a user who set nothing."""
    monkeypatch.delitem(sys.modules, "torch")
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    return monkeypatch


def looks_on(folder: Path, cpuinfo: str) -> str | None:
    (folder / "cpuinfo").write_text(cpuinfo)
    wait_briefly(folder / "cpuinfo")
    return os.environ.get("GOMP_SPINCOUNT")


@pytest.mark.parametrize(
    ("cpuinfo", "looks"),
    [
        ("processor\t: 0\nvendor_id\t: GenuineIntel\n", "30000"),
        ("processor\t: 0\nvendor_id\t: AuthenticAMD\n", "90000"),
        ("processor\t: 0\nCPU implementer\t: 0x41\n", None),
        ("", None),
    ],
)
def test_by_processor(
    fresh: pytest.MonkeyPatch, tmp_path: Path, cpuinfo: str, looks: str | None
) -> None:
    assert looks_on(tmp_path, cpuinfo) == looks


def test_where_nothing_tells_the_processor(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wait_briefly(tmp_path / "missing")
    assert "GOMP_SPINCOUNT" not in os.environ


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_a_users_word_wins(fresh: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    fresh.setenv(name, "7")
    looks_on(tmp_path, "vendor_id\t: GenuineIntel\n")
    assert os.environ[name] == "7"
    assert len(os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}) == 1


def test_not_after_torch(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setitem(sys.modules, "torch", sys)
    assert looks_on(tmp_path, "vendor_id\t: GenuineIntel\n") is None
