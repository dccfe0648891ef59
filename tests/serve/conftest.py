"""A server of the toy model, which one module's tests share."""

from collections.abc import Iterator

import pytest

from mpm_deploy import Runner
from mpm_deploy.backends import OpenArtifact
from tests.serve.served import Server
from tests.support.toy import MANIFEST, ToyProgram


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The shared server, as it is at first."""
    yield shared_server
    shared_server.tell("open")
    shared_server.tell("mend")


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """What the server runs, in this process."""
    with Runner(OpenArtifact(MANIFEST, ToyProgram()), threads=1) as runner:
        yield runner
