"""An open ``.pt2`` has its weights in memory once."""

import ctypes
from pathlib import Path

from mpm_deploy import Runner
from mpm_deploy.backends.aotinductor.stored_weights import _address, free_stored_weights
from tests.conftest import built_once, small_recipe
from tests.support.opened import loaded


def test_the_librarys_weights_are_gone_and_the_model_answers(shared_folder: Path) -> None:
    path = built_once(small_recipe("cpu_fp32"), shared_folder / "cpu_fp32.pt2")
    with Runner(path, threads=1) as runner:
        library = loaded(runner)["scores"]._library
        begin, end = (_address(library, f"_binary_constants_bin_{it}") for it in ("start", "end"))
        assert end - begin > path.stat().st_size // 2
        assert ctypes.string_at(begin, end - begin).strip(b"\0") == b""
        assert runner.check_sample() == 1


def test_a_file_stays_as_it_is_without_weights_or_where_they_are_anothers(
    shared_folder: Path, tmp_path: Path
) -> None:
    path = built_once(small_recipe("cpu_fp32"), shared_folder / "cpu_fp32.pt2")
    file = tmp_path / "another.so"
    file.write_bytes(b"code and weights" * 2**20)
    with Runner(path, threads=1) as runner:
        library = loaded(runner)["scores"]._library
        for opened in (ctypes.CDLL(None), library):
            free_stored_weights(opened, file)
            assert file.read_bytes() == b"code and weights" * 2**20
