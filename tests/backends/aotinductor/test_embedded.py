"""What puts this package's C++ into a ``.pt2``; its kernels are tested with their operators."""

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
