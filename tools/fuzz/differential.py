"""Give one input to Python and to C++: both refuse it, or both read the same, or it is a fault."""

import json
import re
import select
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

from mpm_deploy.errors import MpmError
from tools.fuzz.findings import Budget, Findings
from tools.fuzz.formats import Format
from tools.fuzz.make_corpus import ROOT

DRIVER = ROOT / "build/tools/fuzz/fuzz_driver"

_MOST_SECONDS = 30.0
_VARYING = re.compile(r"/proc/self/fd/\d+|\d+")


class Driver:
    """The C++ driver, which is started again where it died."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, file: bytes) -> dict[str, Any]:
        """Return what C++ makes of a file: accepted, refused or fault, as cpp/driver.cpp says."""
        process = self._process = self._process or self._start()
        try:
            process.stdin.write(struct.pack("<I", len(file)) + file)
            process.stdin.flush()
        except BrokenPipeError:
            return self._died()
        if not select.select([process.stdout], [], [], _MOST_SECONDS)[0]:
            self.close()
            return {"fault": "hangs"}
        line = process.stdout.readline()
        return json.loads(line) if line else self._died()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        command = [DRIVER, self._kind]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)

    def _died(self) -> dict[str, Any]:
        code = self._process.wait()
        self._process = None
        return {"fault": f"the process ends with {code}"}


def compare(format: Format, driver: Driver, data: bytes) -> str | None:
    """Read an input by both and return how they part; None where they agree."""
    file = format.pack(data)
    python, cpp = _ask_python(format, file), driver.ask(file)
    for language, answer in (("Python", python), ("C++", cpp)):
        if "fault" in answer:
            return f"{language}: {answer['fault']}"
    if "refused" in python and "refused" in cpp:
        return None
    if "refused" in python:
        return f"Python alone refuses: {_VARYING.sub('N', python['refused'])}"
    if "refused" in cpp:
        return f"C++ alone refuses: {_VARYING.sub('N', cpp['refused'])}"
    if python == cpp:
        return None
    return f"read differently: {', '.join(_parted(python['accepted'], cpp['accepted']))}"


def fuzz(format: Format, folder: Path, budget: Budget, seed: int) -> Findings:
    """Compare the readers on mutated inputs until the budget is spent."""
    findings = Findings(f"differential:{format.name}", folder)
    driver = Driver(str(format.driver))
    started = time.monotonic()
    until = started + budget.seconds if budget.seconds is not None else float("inf")
    while findings.executions != budget.count and time.monotonic() < until:
        data = format.input(seed, findings.executions)
        if kind := compare(format, driver, data):
            findings.add(kind, data, lambda d, k=kind: compare(format, driver, d) == k)
        findings.executions += 1
    driver.close()
    findings.seconds = time.monotonic() - started
    return findings


def _ask_python(format: Format, file: bytes) -> dict[str, Any]:
    try:
        return {"accepted": format.read(file)}
    except MpmError as error:
        return {"refused": error.problem}
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return {"fault": type(error).__name__}


def _parted(python: dict[str, Any], cpp: dict[str, Any]) -> list[str]:
    return sorted(key for key in {*python, *cpp} if python.get(key) != cpp.get(key))
