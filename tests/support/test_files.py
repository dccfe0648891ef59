"""Files appear whole or not at all."""

import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.support.files import written_atomically


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "it.txt"
    with written_atomically(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
        assert temporary.name == target.name
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_what_was_there(tmp_path):
    target = tmp_path / "it.txt"
    target.write_text("before")
    with pytest.raises(RuntimeError), written_atomically(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_an_input_error(tmp_path):
    with (
        pytest.raises(InputError, match="cannot write"),
        written_atomically(tmp_path / "no" / "it"),
    ):
        pass
