"""Every module of the benchmarks imports: many run only in processes of their own."""

import importlib
import pkgutil

import pytest

import benchmarks

MODULES = [
    module.name
    for module in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] in ("mpm_deploy", "benchmarks"):
            raise
        pytest.skip(f"{error.name} is not installed")
