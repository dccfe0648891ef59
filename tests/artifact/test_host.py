"""Which artifacts do not fit a machine."""

from dataclasses import replace

import pytest
import torch

from mpm_deploy.artifact import Manifest
from mpm_deploy.artifact.host import check_host
from mpm_deploy.errors import HostError
from tests.support import toy


def host(**requires) -> Manifest:
    return replace(toy.MANIFEST, requires=replace(toy.MANIFEST.requires, **requires))


def test_this_machine_fits():
    check_host(toy.MANIFEST, "cpu")


@pytest.mark.parametrize(
    ("requires", "device", "named"),
    [
        ({"machine": "riscv64"}, "cpu", "built for riscv64"),
        ({"cpu_isa": ("avx2", "tensor9000")}, "cpu", "a CPU with tensor9000"),
    ],
)
def test_another_machine_is_refused_with_the_cure(requires, device, named, monkeypatch):
    monkeypatch.setattr("mpm_deploy.artifact.host.host_cpu_isa", lambda: frozenset({"avx2"}))
    with pytest.raises(HostError, match=named) as caught:
        check_host(host(**requires), device, "it.pt2")
    assert "mpm-deploy build --recipe it.pt2 -o it.pt2" in caught.value.hint


@pytest.mark.parametrize(("machine", "told"), [("x86_64", True), ("aarch64", False)])
def test_a_cpu_without_a_flag_is_told_of_one_file_for_many(machine, told, monkeypatch):
    monkeypatch.setattr("mpm_deploy.artifact.host.host_cpu_isa", lambda: frozenset({"avx2"}))
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(HostError) as caught:
        check_host(host(machine=machine, cpu_isa=("tensor9000",)), "cpu", "it.pt2")
    assert ("--set backend.cpu=x86-64-v3" in caught.value.hint) == told


def test_another_device_is_named_and_no_rebuild_of_the_same():
    with pytest.raises(HostError, match="built for device 'cuda', and asked to run on 'cpu'") as e:
        check_host(host(device="cuda"), "cpu", "it.pt2")
    assert e.value.hint.endswith("mpm-deploy build --recipe cpu_fp32")


@pytest.mark.parametrize(
    ("cuda", "driver", "problem", "cure"),
    [
        (None, False, "torch .* is built for CPUs", "install a torch that is built for CUDA"),
        ("13.2", False, "there is no NVIDIA driver on this machine", "install NVIDIA's driver"),
        ("13.2", True, "NVIDIA's driver shows no GPU", "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_a_missing_gpu_is_told_with_what_is_missing(cuda, driver, problem, cure, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("mpm_deploy.artifact.host._has_driver", lambda: driver)
    with pytest.raises(HostError, match=f"asked to run on 'cuda', and {problem}") as caught:
        check_host(host(device="cuda"), "cuda")
    assert cure in caught.value.hint
    assert caught.value.hint.endswith("mpm-deploy build --recipe cpu_fp32")
    with pytest.raises(HostError) as caught:
        check_host(host(device="cuda"), "cuda", any_device=True)
    assert cure in caught.value.hint and caught.value.hint.endswith(", or run it on device 'cpu'")


def test_another_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (8, 0))
    manifest = host(backend="aotinductor", device="cuda", cuda_capability=(9, 0))
    with pytest.raises(HostError, match=r"capability \(9, 0\), and this GPU has \(8, 0\)"):
        check_host(manifest, "cuda")
    with pytest.raises(HostError, match="'cuda:1', and this machine has 'cuda:0'") as caught:
        check_host(manifest, "cuda:1")
    assert caught.value.hint == "name one of those"
    check_host(
        replace(manifest, requires=replace(manifest.requires, cuda_capability=(8, 0))), "cuda"
    )


def test_another_cuda_is_refused(monkeypatch):
    about = {"is_available": True, "device_count": 1, "get_device_capability": (9, 0)}
    for name, value in about.items():
        monkeypatch.setattr(torch.cuda, name, lambda device=None, value=value: value)
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    check_host(host(device="cuda", versions={"torch": "2", "cuda": "13.0"}), "cuda")
    with pytest.raises(HostError, match=r"built with CUDA 12\.9, and torch .* brings CUDA 13\.2"):
        check_host(host(device="cuda", versions={"torch": "2", "cuda": "12.9"}), "cuda")
