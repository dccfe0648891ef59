"""The operators that the torch running this has for scripts, a schema a line.

A new version of libtorch becomes one that files can be built for by

    python3 tools/list_operators.py > mpm_deploy/backends/torchscript/operators/libtorch-VERSION.txt

on a machine that has it. Needs torch alone, and nothing of the package's other modules.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from mpm_deploy.backends.torchscript.operators import own_operators

print(*own_operators(), sep="\n")
