"""What processors are called, and what they can."""

from pathlib import Path

import pytest

from mpm_deploy.support.processor import X86_LEVELS, cpu_name, host_cpu_isa, x86_level

X86 = "processor\t: 0\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel name\t: another\n"
HIDDEN = "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n"


def test_flags_are_those_of_the_first_core(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags\t\t: fpu avx2\n{X86}flags\t\t: fpu\n")
    assert host_cpu_isa(cpuinfo) == {"fpu", "avx2"}
    cpuinfo.write_text(ARM)
    assert host_cpu_isa(cpuinfo) == {"fp", "asimd"}
    assert host_cpu_isa(tmp_path / "nothing") == frozenset()


def test_a_level_is_the_highest_of_which_all_flags_are_there():
    v3, v4 = X86_LEVELS["x86-64-v3"], X86_LEVELS["x86-64-v4"]
    assert x86_level(v4 | {"avx512_bf16"}) == "x86-64-v4"
    assert x86_level(v4 - {"avx512vl"}) == x86_level(v3) == "x86-64-v3"
    assert x86_level(v4 - {"movbe"}) is None
    assert x86_level(frozenset({"fp", "asimd"})) is None


@pytest.mark.parametrize(
    ("cpuinfo", "board", "expected"),
    [
        (X86, None, "AMD EPYC"),
        (HIDDEN, None, "AMD EPYC, family 25, model 17"),
        (HIDDEN.replace("EPYC", "EPYC 9554"), None, "AMD EPYC 9554"),
        (
            f"{ARM}Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
            "no",
            "Raspberry Pi 5 Model B Rev 1.0",
        ),
        (ARM, "Some Board\0", "Some Board"),
        (ARM, None, "aarch64, implementer 0x41, part 0xd0b"),
        ("", None, "aarch64"),
        (None, None, "aarch64"),
    ],
)
def test_a_processor_is_called_by_its_name_or_its_boards(
    cpuinfo: str | None,
    board: str | None,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    for name, text in (("cpuinfo", cpuinfo), ("board", board)):
        if text is not None:
            (tmp_path / name).write_text(text)
    assert cpu_name(tmp_path / "cpuinfo", tmp_path / "board") == expected
