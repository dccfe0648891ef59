"""Kill a command again and again, at moments that are drawn, and count what it leaves.

python tools/kill_turns.py 50 FOLDER build/cpp_runner run segmenter.pt2 photos -o FOLDER/out

FOLDER is what the command writes below; its temporary files go there too. After every turn the
temporary folders of killed processes are counted, then the command runs once to its end: what is
left after that is a fault, and the exit code says so.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path


def leftovers(folder: Path) -> int:
    """Count the temporary folders below a folder."""
    return sum(path.name.startswith(".mpm-") for path in folder.rglob("*"))


def main(turns: int, folder: Path, command: list[str]) -> int:
    """Kill the command so often; return 1 if something is left after its next whole run."""
    temporary = folder / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(temporary)}
    begin = time.monotonic()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    whole, most = time.monotonic() - begin, 0
    for _ in range(turns):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(random.uniform(0, whole))
        process.kill()
        process.wait()
        most = max(most, leftovers(folder))
    subprocess.run(command, env=environment, check=True, capture_output=True)
    left = leftovers(folder)
    print(f"{turns} kills: at most {most} folders left at once, {left} after the next run")
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
