"""Temporary folders are gone afterwards, whenever an interrupt comes."""

import shutil

import pytest

from mpm_deploy.support.temporary_folder import temporary_folder


def test_a_folder_goes_with_what_is_in_it(tmp_path):
    with pytest.raises(RuntimeError), temporary_folder(tmp_path, "building-") as folder:
        assert folder.parent == tmp_path and folder.name.startswith("building-")
        (folder / "half").write_text("half")
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_an_interrupt_while_it_is_removed_leaves_nothing(tmp_path, monkeypatch):
    remove, calls = shutil.rmtree, []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(*arguments, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), temporary_folder(tmp_path) as folder:
        (folder / "whole").write_text("whole")
    assert not list(tmp_path.iterdir())
