"""Serves the toy model in a process of its own, and does what stdin says.

kserve and tritonclient both bring the protocol's messages, and no process takes them from both.
"""

import asyncio
import sys
import threading

from torch import Tensor

from mpm_deploy import Runner
from mpm_deploy.backends import OpenArtifact
from mpm_deploy.serve.server import serve
from mpm_deploy.serve.settings import Settings
from tests.support.toy import MANIFEST, ToyProgram

SETTINGS = Settings(port=0, grpc_port=0, places=4, max_bytes=1 << 16, patience=1)


class GatedProgram(ToyProgram):
    """Waits before it scores until its gate is open, and fails where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.fails = False

    def _scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.gate.wait()
        if self.fails:
            raise RuntimeError("a secret")
        return super()._scores(images)


def say(*numbers: int) -> None:
    sys.stdout.write(" ".join(map(str, numbers)) + "\n")
    sys.stdout.flush()


async def run(runner: Runner, program: GatedProgram, settings: Settings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def obey() -> None:
        for line in sys.stdin:
            match line.strip():
                case "shut":
                    program.gate.clear()
                case "open":
                    program.gate.set()
                case "fail":
                    program.fails = True
                case "mend":
                    program.fails = False
                case "stop":
                    loop.call_soon_threadsafe(stop.set)
            say(sum(program.batches))

    threading.Thread(target=obey, daemon=True).start()
    refused = await serve({"toy": runner}, settings, stop, lambda ports: say(*ports))
    say(refused)


def main() -> None:
    program = GatedProgram()
    settings = SETTINGS._replace(grace=float(sys.argv[1]))
    with Runner(OpenArtifact(MANIFEST, program), threads=1) as runner:
        asyncio.run(run(runner, program, settings))


if __name__ == "__main__":
    main()
