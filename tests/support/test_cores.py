"""Cores that a process may use, by made-up control groups and by real ones."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpm_deploy.support import cores
from mpm_deploy.support.cores import available_cores, throttled_periods

V2 = "25 24 0:22 {top} /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 30 0:27 {top} /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "32 30 0:28 {top} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
)
V1_GROUPS = "5:cpuset:/other\n4:cpu,cpuacct:{group}\n"
OF_V1 = "cpu,cpuacct/"
REAL = Path("/sys/fs/cgroup/cpu")


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(8)))


def write(root: Path, files: dict[str, str]) -> Path:
    """Write a system's files; names of no folder ``proc`` are of control groups."""
    for name, text in files.items():
        file = root / (name if name.startswith("proc/") else f"sys/fs/cgroup/{name}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def v2(group: str, top: str = "/", **files: str) -> dict[str, str]:
    return {"proc/self/cgroup": f"0::{group}\n", "proc/self/mountinfo": V2.format(top=top)} | files


def v1(group: str, top: str = "/", **files: str) -> dict[str, str]:
    groups, mounts = V1_GROUPS.format(group=group), V1.format(top=top)
    return {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts} | files


def quota_v1(group: str, quota: str) -> dict[str, str]:
    return {
        f"{OF_V1}{group}cpu.cfs_quota_us": f"{quota}\n",
        f"{OF_V1}{group}cpu.cfs_period_us": "100000\n",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        (v2("/") | {"cpu.max": "max 100000\n"}, 8),
        (v2("/") | {"cpu.max": "200000 100000\n"}, 2),
        (v2("/") | {"cpu.max": "150000 100000\n"}, 2),
        (v2("/") | {"cpu.max": "5000 100000\n"}, 1),
        (v2("/") | {"cpu.max": "0 100000\n"}, 1),
        (v2("/") | {"cpu.max": "1600000 100000\n"}, 8),
        (v2("/") | {"cpu.max": "garbage\n"}, 8),
        (v2("/a/b") | {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        (v2("/a/b") | {"a/b/cpu.max": "100000 50000\n", "a/cpu.max": "300000 100000\n"}, 2),
        (v2("/a/b") | {"c/cpu.max": "100000 100000\n"}, 8),
        (v2("/pod/own", top="/pod/own") | {"cpu.max": "400000 100000\n"}, 4),
        (v2("/../elsewhere") | {"cpu.max": "400000 100000\n"}, 4),
        (v1("/") | quota_v1("", "-1"), 8),
        (v1("/a") | quota_v1("a/", "250000"), 3),
        (v1("/a/b") | quota_v1("a/", "250000") | quota_v1("a/b/", "-1"), 3),
        (v1("/docker/own", top="/docker/own") | quota_v1("", "100000"), 1),
        (v1("/a") | {f"{OF_V1}a/cpu.cfs_quota_us": "100000\n"}, 8),
    ],
)
def test_a_quota_leaves_fewer_cores(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    assert available_cores(write(tmp_path, files)) == expected


def test_both_versions_at_once(tmp_path: Path) -> None:
    """As systemd mounts them in its hybrid layout: the CPU is version 1's."""
    files = v1("/a") | quota_v1("a/", "200000")
    unified = V2.format(top="/").replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
    files["proc/self/cgroup"] += "0::/a\n"
    files["proc/self/mountinfo"] += unified
    assert available_cores(write(tmp_path, files)) == 2


def test_throttled_periods_of_all_groups(tmp_path: Path) -> None:
    assert throttled_periods(tmp_path) == 0
    stat = "nr_periods 9\nnr_throttled {}\nthrottled_usec 7\n"
    files = v2("/a") | {"cpu.stat": "usage_usec 5\n", "a/cpu.stat": stat.format(4)}
    assert throttled_periods(write(tmp_path, files)) == 4


@pytest.fixture
def real_group() -> Iterator[Path]:
    """A control group of this machine with a quota of one core."""
    group = REAL / f"mpm-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("control groups cannot be made here")
    (group / "cpu.cfs_quota_us").write_text("100000")
    yield group
    group.rmdir()


def test_a_real_quota(real_group: Path) -> None:
    code = (
        "import os, sys; from mpm_deploy.support.cores import available_cores\n"
        "open(sys.argv[1], 'w').write(str(os.getpid())); print(available_cores())"
    )
    command = [sys.executable, "-c", code, str(real_group / "cgroup.procs")]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "1\n"
