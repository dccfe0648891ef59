"""A killed run leaves what the next one removes, and what it has written is whole."""

import sys
from pathlib import Path

from tools.kill_turns import Turns, kill_turns

HALF = """
import pathlib, sys, time
target = pathlib.Path(sys.argv[1])
target.write_text('{"half": ')
time.sleep(0.5)
target.write_text('{"half": "whole"}')
"""
LEAVING = """
import pathlib, secrets, sys, time
pathlib.Path(sys.argv[1]).with_name(secrets.token_hex(4)).touch()
time.sleep(0.5)
"""

WHOLE = """
import pathlib, sys, time
from mpm_deploy.support.files import written_atomically
with written_atomically(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_text('{"half": ')
    time.sleep(0.5)
    temporary.write_text('{"half": "whole"}')
"""


def turns_of(code: str, folder: Path) -> Turns:
    return kill_turns(3, folder, [sys.executable, "-c", code, str(folder / "result.json")])


def test_a_result_that_is_written_in_place_is_found_half_written(tmp_path: Path) -> None:
    turns = turns_of(HALF, tmp_path / "turns")
    assert (turns.left, turns.alive) == ((), ())
    assert turns.half_written == (str(tmp_path / "turns" / "result.json"),)


def test_what_no_run_removes_is_found(tmp_path: Path) -> None:
    assert len(turns_of(LEAVING, tmp_path / "turns").left) >= 1


def test_what_is_written_in_a_temporary_folder_leaves_nothing(tmp_path: Path) -> None:
    turns = turns_of(WHOLE, tmp_path / "turns")
    assert turns.is_clean, turns
