"""A server of the toy model, and tritonclient as its client, over both protocols."""

import http.client
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.support.scripts import ROOT

SOON = 30.0  # a machine that others load takes its time
MODULES = {"rest": "tritonclient.http", "grpc": "tritonclient.grpc"}
DATATYPES = {"object": "BYTES", "uint8": "UINT8", "float32": "FP32"}


class Server:
    """`toy_server` while ``with`` lasts; requests in hand have ``grace`` seconds at its end."""

    def __init__(self, grace: float = 30.0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.serve.toy_server", str(grace)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.rest, self.grpc = map(int, self.process.stdout.readline().split())

    def tell(self, word: str) -> int:
        """Tell the server what to do, and return how many images its model has scored."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(word, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def metrics(self) -> str:
        """What Prometheus would read."""
        return self.get("/metrics").decode()

    def get(self, path: str) -> bytes:
        """The body of an answer in HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest, timeout=SOON)
        connection.request("GET", path)
        try:
            return connection.getresponse().read()
        finally:
            connection.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.tell("open")
            self.tell("stop")
        said, _ = self.process.communicate(timeout=SOON)
        self.refused_late = int(said)
        assert self.process.returncode == 0


class Client:
    """tritonclient over one protocol; ``with`` closes it."""

    def __init__(self, protocol: str, server: Server) -> None:
        self.protocol = protocol
        self.module = import_module(MODULES[protocol])
        address = f"127.0.0.1:{getattr(server, protocol)}"
        self.client = self.module.InferenceServerClient(address)

    def tensor(self, array: NDArray[Any], name: str | None = None) -> Any:
        """An input of a request: files in an array of objects, or pixels."""
        datatype = DATATYPES[str(array.dtype)]
        name = name or ("image" if datatype == "BYTES" else "pixels")
        tensor = self.module.InferInput(name, [*array.shape], datatype)
        tensor.set_data_from_numpy(array)
        return tensor

    def ask(
        self,
        files: Sequence[bytes] = (),
        pixels: NDArray[Any] | None = None,
        outputs: Sequence[str] = (),
        model: str = "toy",
        name: str | None = None,
    ) -> Any:
        """What the server says of files or pixels."""
        array = np.array([*files], np.object_) if pixels is None else pixels
        wanted = [self.module.InferRequestedOutput(output) for output in outputs] or None
        return self.client.infer(model, [self.tensor(array, name)], outputs=wanted)

    def refused(self, **asked: Any) -> tuple[str, str]:
        """The status and the sentence of a request that is refused."""
        from tritonclient.utils import InferenceServerException

        try:
            self.ask(**asked)
        except InferenceServerException as error:
            return str(error.status()).removeprefix("StatusCode."), str(error.message())
        raise AssertionError("it was taken")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()


def post(
    server: Server, body: Any, headers: dict[str, str] | None = None, chunked: bool = False
) -> tuple[int, Any, dict[str, str]]:
    """The status, JSON and headers of the answer to a request in plain HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest, timeout=SOON)
    body = json.dumps(body) if isinstance(body, dict) else body
    path = "/v2/models/toy/infer"
    connection.request("POST", path, body, headers or {}, encode_chunked=chunked)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer, dict(response.headers)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def picture(height: int = 37, width: int = 50, seed: int = 0) -> NDArray[np.uint8]:
    """An image that is smooth, so that its files are small."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height)))


def encoded(pixels: NDArray[np.uint8], kind: str = "JPEG") -> bytes:
    """The file of an image."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()
