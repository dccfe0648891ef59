"""In both programs threads wait as briefly: libgomp itself says what it was told."""

import re
import subprocess

import pytest


@pytest.fixture
def told(cpp_runner, mpm_deploy, monkeypatch):
    """What libgomp says of waiting, by program, when it is loaded in an environment."""

    def told(**environment: str) -> list[str]:
        for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"OMP_DISPLAY_ENV": "verbose", **environment}.items():
            monkeypatch.setenv(name, value)
        return [looks(mpm_deploy("inspect", "missing.pt")), looks(cpp_runner("--version"))]

    return told


def looks(done: "subprocess.CompletedProcess[str]") -> str:
    (number,) = re.findall(r"GOMP_SPINCOUNT = '(\w+)'", done.stderr)
    return number


def test_both_wait_as_briefly(told):
    python, cpp = told()
    assert python == cpp
    assert python in ("30000", "90000", "300000")  # Intel, AMD, libgomp's own


def test_a_users_word_wins_in_both(told):
    assert told(GOMP_SPINCOUNT="5000") == ["5000", "5000"]
    assert told(OMP_WAIT_POLICY="passive") == ["0", "0"]
