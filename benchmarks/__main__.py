"""Runs members of the bench, all or those that are named: ``python -m benchmarks``.

Each runs in a process of its own: what one sets, as the number of threads, is no other's matter.
"""

import argparse
import subprocess
import sys

from benchmarks import (
    archives,
    c_interface,
    cpu_parts,
    cpu_peers,
    eva_flops,
    eva_run,
    injection,
    label_map,
    memory,
    precisions,
    rotary_positions,
    segments,
    serving,
    speed,
    tensorrt_engines,
    transformers_agreement,
    video,
    windows,
)

MEMBERS = {
    module.MEMBER.name: module.MEMBER
    for module in (
        *(speed, memory, label_map, windows, rotary_positions, injection),
        *(
            transformers_agreement,
            precisions,
            cpu_parts,
            video,
            c_interface,
            serving,
            archives,
            eva_flops,
            eva_run,
            tensorrt_engines,
            segments,
            cpu_peers,
        ),
    )
}


def main() -> None:
    about = "\n".join(f"{member.name:16} {member.about}" for member in MEMBERS.values())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"{about}\n\nOptions of one: python -m benchmarks.NAME --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="none: every member")
    names = parser.parse_args().names or [*MEMBERS]
    unknown = [name for name in names if name not in MEMBERS]
    if unknown:
        parser.error(f"{', '.join(unknown)}: expected {', '.join(MEMBERS)}")
    ended = {name: subprocess.call([sys.executable, "-m", f"benchmarks.{name}"]) for name in names}
    failed = [name for name, code in ended.items() if code]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
