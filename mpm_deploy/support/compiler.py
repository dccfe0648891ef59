"""Find the C++ compiler of this machine, as Inductor finds it: what ``CXX`` says, or g++."""

import os
import shlex
import shutil

COMPILER_CURE = "apt-get install g++, or set CXX"


def compiler_name() -> str:
    """Return the command that is asked for, in words; it need not be there."""
    return _named() or "command in CXX"


def find_compiler() -> list[str] | None:
    """Return the words of the compiler's command, as ``["ccache", "g++"]``; None without one."""
    try:
        command = shlex.split(_named())
    except ValueError:  # a quotation mark alone
        return None
    return command if command and shutil.which(command[0]) else None


def _named() -> str:
    return os.environ.get("CXX", "g++")
