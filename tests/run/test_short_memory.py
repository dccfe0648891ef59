"""What a Runner does where the memory of its process is limited."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

LIMITED = """
import resource
import sys

from mpm_deploy import Runner

with Runner(sys.argv[1], threads=1, workers=1) as runner:
    results = runner.run(sys.argv[2:])
    next(results)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000, resource.RLIM_INFINITY))
    for result in results:
        print(result.ok, "" if result.ok else result.reason)
"""


def test_an_image_that_memory_is_short_for_is_skipped_and_the_run_goes_on(
    artifact: Path, tmp_path: Path
) -> None:
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(small)
    Image.new("RGB", (9_000, 9_000)).save(large, compress_level=1)
    command = [sys.executable, "-c", LIMITED, artifact, *[small] * 9, large, small]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    *others, skipped, last = run.stdout.splitlines()
    assert {line.strip() for line in [*others, last]} == {"True"}
    assert skipped.startswith("False this machine is short of memory")
