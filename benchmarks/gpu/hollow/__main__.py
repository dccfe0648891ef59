import os
import sys
from pathlib import Path

from benchmarks.gpu.hollow import environment, make

library = make(Path(sys.argv[1]).absolute())
if "--" in sys.argv:
    command = sys.argv[sys.argv.index("--") + 1 :]
    os.execvpe(command[0], command, os.environ | environment(library))
print(library)
