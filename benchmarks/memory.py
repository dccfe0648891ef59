"""Does resident memory grow? ``memory.py ARTIFACT FOLDER [--images 2000] [--batch 1]``.

Runs the folder's images over and over through one Runner. Resident memory at the end may be at most
5 % above what it was after the first tenth, when every size has been seen once.
"""

import argparse
import itertools
import resource
import sys
from pathlib import Path

from mpm_deploy import Runner
from mpm_deploy.images import find_images

MOST_GROWTH = 1.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    images = itertools.islice(itertools.cycle(find_images(arguments.folder)), arguments.images)
    settled = 0.0
    with Runner(arguments.artifact) as runner:
        for done, _ in enumerate(runner.run(images, arguments.batch), start=1):
            if done == arguments.images // 10:
                settled = resident_mib()
    growth = resident_mib() / settled
    print(f"{arguments.images} images: {settled:.0f} MiB after a tenth, × {growth:.3f} at the end")
    sys.exit(0 if growth <= MOST_GROWTH else 1)


def resident_mib() -> float:
    """Resident memory of this process, from Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
