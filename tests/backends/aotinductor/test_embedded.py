"""What puts this package's C++ into a ``.pt2``; its kernels are tested with their operators."""

import os
from pathlib import Path

import pytest

from mpm_deploy.backends.aotinductor import embedded
from mpm_deploy.backends.aotinductor.embedded import embedded_kernels
from mpm_deploy.errors import BuildError


def test_a_compiler_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.cpp").write_text("int broken(")
    monkeypatch.setattr(embedded, "_KERNELS", tmp_path)
    with pytest.raises(BuildError, match=r"broken\.cpp"), embedded_kernels(()):
        pass


def test_kernels_are_compiled_once_for_the_same_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "made_up.cpp"
    commands: list[list[str]] = []
    run = embedded._run
    monkeypatch.setattr(embedded, "_KERNELS", tmp_path)
    monkeypatch.setattr(embedded, "_run", lambda command: commands.append(command) or run(command))

    def compiled(text: str, *flags: str) -> int:
        source.write_text(text)
        commands.clear()
        with embedded_kernels(flags) as options:
            (name,) = options["aot_inductor.custom_op_libs"]
            (library,) = Path(os.environ["TMPDIR"]).glob("lib*.a")
            assert library.name == f"lib{name}.a"
        return sum("-c" in command for command in commands)

    assert [compiled("int one;"), compiled("int one;")] == [1, 0]
    assert [compiled("int one;", "-DOTHER"), compiled("int two;")] == [1, 1]
