"""How the tests run a command, and options that make it a quick one."""

from mpm_deploy import cli
from tests.conftest import CLASSES, INPUT_SIZE

SMALL = [
    *("--weights", "random", "--set", f"model.image_size=[{INPUT_SIZE[0]},{INPUT_SIZE[1]}]"),
    *("--set", f"model.classes={CLASSES}"),
]
RANDOM = "weights are random"


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])
