"""A server and a client of others: what is asked for and what comes, over REST and gRPC."""

import base64
import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from mpm_deploy import Runner
from mpm_deploy.run.label_maps import encode_label_map
from tests.serve.served import SOON, Client, Server, encoded, picture, post, until
from tests.support.toy import MANIFEST

pytestmark = pytest.mark.skipif(
    not (find_spec("kserve") and find_spec("tritonclient")),
    reason="kserve and tritonclient are not installed: pip install -e '.[dev]'",
)

FILE = encoded(picture())
BASE64 = base64.b64encode(FILE).decode()
JSON_IMAGE = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [BASE64]}
BAD = {"rest": "400", "grpc": "INVALID_ARGUMENT"}
SHAPES = {
    "image": [-1],
    "pixels": [-1, -1, -1, 3],
    "label_map": [-1],
    "labels": [-1, -1, -1],
    "scores": [-1, 3, 2, 3],
    "probabilities": [-1, 3, 2, 3],
    "tokens_kept": [-1, 1],
}


@pytest.fixture(params=["rest", "grpc"])
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[Client]:
    with Client(request.param, server) as client:
        yield client


def png(runner: Runner, file: bytes = FILE) -> bytes:
    return encode_label_map(runner(file).labels, MANIFEST.model.palette)


def test_a_file_gives_what_the_runner_gives(client: Client, runner: Runner) -> None:
    result = runner(FILE, outputs=("labels", "scores", "probabilities"))
    usual = client.ask([FILE])
    assert usual.as_numpy("label_map").tolist() == [png(runner)]
    assert usual.as_numpy("tokens_kept").tolist() == [[*result.tokens_kept]]
    answer = client.ask([FILE], outputs=["labels", "scores", "probabilities"])
    assert answer.as_numpy("label_map") is None
    assert answer.as_numpy("labels").dtype == np.uint8
    for name, expected in result.outputs.items():
        assert (answer.as_numpy(name) == expected[None]).all()


def test_several_files_of_both_formats(client: Client, runner: Runner) -> None:
    files = [FILE, encoded(picture(seed=1), "PNG"), encoded(picture(20, 31, seed=2))]
    answer = client.ask(files, outputs=["label_map", "tokens_kept"])
    assert answer.as_numpy("label_map").tolist() == [png(runner, file) for file in files]
    kept = [[*runner(file).tokens_kept] for file in files]
    assert answer.as_numpy("tokens_kept").tolist() == kept


def test_pixels_of_one_image_and_of_several(client: Client, runner: Runner) -> None:
    pixels = np.stack([picture(seed=seed) for seed in range(3)])
    labels = np.stack([runner(one).labels for one in pixels])
    assert (client.ask(pixels=pixels, outputs=["labels"]).as_numpy("labels") == labels).all()
    one = client.ask(pixels=pixels[0], outputs=["labels"]).as_numpy("labels")
    assert (one == labels[:1]).all()


def test_json_takes_and_gives_base64(server: Server, runner: Runner) -> None:
    status, answer, _ = post(server, {"id": "7", "inputs": [JSON_IMAGE]})
    assert (status, answer["id"], answer["model_name"]) == (200, "7", "toy")
    label_map, tokens = answer["outputs"]
    assert base64.b64decode(label_map["data"][0]) == png(runner)
    assert label_map["parameters"] == {"content_type": "base64"}
    assert (tokens["datatype"], tokens["shape"]) == ("INT32", [1, 1])
    assert tokens["data"] == [*runner(FILE).tokens_kept]


def test_json_takes_and_gives_numbers(server: Server, runner: Runner) -> None:
    pixels = picture()
    tensor = {"name": "pixels", "shape": [*pixels.shape], "datatype": "UINT8"}
    tensor["data"] = pixels.ravel().tolist()
    status, answer, _ = post(server, {"inputs": [tensor], "outputs": [{"name": "labels"}]})
    assert status == 200
    (labels,) = answer["outputs"]
    assert labels["data"] == runner(pixels).labels.ravel().tolist()


def test_health(client: Client) -> None:
    triton = client.client
    assert triton.is_server_live() and triton.is_server_ready() and triton.is_model_ready("toy")


def test_metadata_over_rest(server: Server) -> None:
    with Client("rest", server) as client:
        assert client.client.get_server_metadata()["name"] == "mpm-deploy"
        model = client.client.get_model_metadata("toy")
    assert {one["name"]: one["shape"] for one in model["inputs"] + model["outputs"]} == SHAPES
    assert model["parameters"]["classes"] == ["r", "g", "b"]
    assert json.loads(server.get("/v2/models")) == {"models": ["toy"]}


def test_metadata_over_grpc(server: Server) -> None:
    with Client("grpc", server) as client:
        assert client.client.get_server_metadata().name == "mpm-deploy"
        model = client.client.get_model_metadata("toy")
    assert {one.name: [*one.shape] for one in [*model.inputs, *model.outputs]} == SHAPES


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"files": [b"no picture"]}, "image 1: not a JPEG or PNG file; send whole"),
        ({"files": [FILE, FILE[:200]]}, "image 2: "),
        ({"files": []}, "expected an image, got none; "),
        ({"pixels": np.zeros((5, 5), np.uint8)}, "(height, width, 3)"),
        ({"pixels": np.zeros((3, 5, 5), np.uint8)}, "(height, width, 3)"),
        ({"pixels": np.zeros((5, 5, 3), np.float32)}, "expected datatype UINT8, got 'FP32'; "),
        ({"files": [FILE], "name": "picture"}, "expected image or pixels, got 'picture'; "),
        ({"files": [FILE], "outputs": ["masks"]}, "expected some of label_map, labels, "),
        ({"files": [FILE] * 5}, "at most 4 images in one request, got 5; "),
        (
            {"files": [FILE, encoded(picture(9, 9))], "outputs": ["labels"]},
            "expected images of one size",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(client: Client, asked: dict[str, Any], said: str) -> None:
    status, sentence = client.refused(**asked)
    assert status == BAD[client.protocol]
    assert said in sentence
    assert "; " in sentence  # the cure
    assert client.ask([FILE]).as_numpy("tokens_kept").shape == (1, 1)  # the others go on


def test_an_unknown_model_is_told_which_there_are(client: Client) -> None:
    status, sentence = client.refused(files=[FILE], model="other")
    assert status == {"rest": "404", "grpc": "NOT_FOUND"}[client.protocol]
    assert sentence == "no model is named 'other' here; name one of toy"


def test_a_request_may_be_too_large(client: Client) -> None:
    status, sentence = client.refused(pixels=np.zeros((200, 200, 3), np.uint8))
    assert status == {"rest": "413", "grpc": "RESOURCE_EXHAUSTED"}[client.protocol]
    assert "65536" in sentence


def test_a_request_may_be_too_large_without_saying_so(server: Server) -> None:
    status, answer, _ = post(server, iter([bytes(1 << 15)] * 3), chunked=True)
    assert status == 413
    assert "at most 65536 bytes" in answer["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"inputs": 3}',
        b'{"inputs": [{"name": "image"}]}',
        b'{"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [3]}]}',
        b'{"inputs": [{"name": "image", "shape": [2], "datatype": "BYTES", "data": ["aaaa"]}]}',
        b'{"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["\xc3\xa4"]}]}',
        b'{"inputs": [{"name": "pixels", "shape": [1, 1, 3], "datatype": "UINT8", '
        b'"data": [1, 2, 256]}]}',
        b'{"inputs": [{"name": "pixels", "shape": [1'
        + b"0" * 30
        + b', 1, 3], "datatype": "UINT8", '
        b'"data": [1, 2, 3]}]}',
        b'{"inputs": [{"name": "image", "shape": [' + b"9" * 5000 + b'], "datatype": "BYTES", '
        b'"data": ["aaaa"]}]}',
        b'{"inputs": [{"name": "pixels", "shape": [1, 1, 3], "datatype": "UINT8", '
        b'"data": [1, 2, ' + b"9" * 5000 + b"]}]}",
    ],
)
@pytest.mark.parametrize("json_length", [None, "0", "9999", "-1", "x", "9" * 5000, "full"])
def test_a_body_that_is_none_is_refused(
    server: Server, body: bytes, json_length: str | None
) -> None:
    length = str(len(body)) if json_length == "full" else json_length
    headers = {} if length is None else {"Inference-Header-Content-Length": length}
    status, answer, _ = post(server, body, headers)
    assert status == 400
    assert [*answer] == ["error"]


@pytest.mark.parametrize("body", [b"{}", b"hello", b"--x\r\nContent-Disposition: form-data\r\n"])
def test_a_body_of_another_form_is_told_the_form_that_is_read(server: Server, body: bytes) -> None:
    _, answer, _ = post(server, body, {})
    assert 'post JSON: {"inputs": [' in answer["error"] and "header" not in answer["error"]


def test_bytes_behind_the_json_without_their_header_are_told_of_it(server: Server) -> None:
    _, answer, _ = post(server, json.dumps({"inputs": [JSON_IMAGE]}).encode() + b"abcd", {})
    assert "need the header Inference-Header-Content-Length" in answer["error"]


@pytest.mark.parametrize("size", [-1, 0, 3, 4, 8, 1 << 40, 10**4000, "4", True, None])
def test_binary_data_that_do_not_fill_their_tensor(server: Server, size: Any) -> None:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES"}
    tensor["parameters"] = {} if size is None else {"binary_data_size": size}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    status, answer, _ = post(server, head + b"\xff\xff\0\0", headers)
    assert status == 400, answer


def test_addresses_that_are_none(server: Server) -> None:
    for path in ("/v1/models", "/v2/models/toy/infer", "/v2/repository/index", "/docs"):
        assert b"is not offered here" in server.get(path)


def test_no_client_unloads_a_model(server: Server) -> None:
    with Client("grpc", server) as client:
        with pytest.raises(Exception, match="keeps the models that it was started with"):
            client.client.unload_model("toy", unload_dependents=False)
        assert client.client.is_model_ready("toy")


def test_a_model_that_fails_is_no_fault_of_the_client(client: Client, server: Server) -> None:
    server.tell("fail")
    status, sentence = client.refused(files=[FILE])
    assert status == {"rest": "500", "grpc": "INTERNAL"}[client.protocol]
    assert sentence == "this server failed on it (RuntimeError); its log says more"


def test_past_its_places_a_server_refuses_at_once(client: Client, server: Server) -> None:
    server.tell("shut")
    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(_one, client.protocol, server) for _ in range(4)]
        until(partial(_has, server, "mpm_images_in_hand 4.0"))
        begin = time.perf_counter()
        status, sentence = client.refused(files=[FILE])
        took = time.perf_counter() - begin
        retry = post(server, {"inputs": [JSON_IMAGE]})[2].get("retry-after")
        server.tell("open")
        assert [other.result(SOON) for other in others] == [1] * 4
    assert status == {"rest": "429", "grpc": "RESOURCE_EXHAUSTED"}[client.protocol]
    assert sentence.startswith("this server has 4 images in hand, and room for 4; send it again")
    assert retry == "1"
    assert took < 1
    assert client.ask([FILE]) is not None


def test_whoever_goes_leaves_their_place(client: Client, server: Server) -> None:
    """Two are in the model's hands; the third waits, for a client that does not."""
    scored = server.tell("shut")
    with ThreadPoolExecutor(2) as threads:
        others = []
        for count in (1, 2):
            others.append(threads.submit(_one, client.protocol, server))
            until(partial(_has, server, f"mpm_images_in_hand {count}.0"))
            until(partial(_has, server, 'mpm_images_waiting{model="toy"} 0.0'))
        _go_away(client, server)
        until(partial(_has, server, "mpm_images_in_hand 2.0"))
        server.tell("open")
        assert [other.result(SOON) for other in others] == [1, 1]
    assert client.ask([FILE]) is not None
    assert server.tell("count") == scored + 3  # of the one who went, nothing was scored
    assert _has(server, f'{{model="toy",outcome="gone",protocol="{client.protocol}"}} 1.0')


def begun(server: Server) -> http.client.HTTPConnection:
    """A request whose first byte has arrived."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest, timeout=SOON)
    connection.putrequest("POST", "/v2/models/toy/infer")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"{")
    until(partial(_has, server, "mpm_images_in_hand 1.0"))
    return connection


def test_a_client_may_go_amid_its_request(server: Server) -> None:
    begun(server).close()
    until(partial(_has, server, "mpm_images_in_hand 0.0"))


def test_a_request_that_does_not_arrive_leaves_its_place(server: Server) -> None:
    connection = begun(server)
    response = connection.getresponse()
    assert response.status == 408
    assert b"expected the whole request within 1 seconds" in response.read()
    connection.close()
    assert _has(server, "mpm_images_in_hand 0.0")


def test_metrics_tell_stages_tokens_and_requests(server: Server) -> None:
    with Client("grpc", server) as client:
        client.ask([FILE])
    text = server.metrics()
    for stage in ("decode", "fit", "queue", "copy", "scores", "labels"):
        assert f'mpm_stage_seconds_count{{model="toy",stage="{stage}"}}' in text
    assert 'mpm_tokens_kept_count{merge="1",model="toy"}' in text
    assert 'mpm_requests_total{model="toy",outcome="answered",protocol="grpc"}' in text


def test_it_finishes_what_it_began() -> None:
    with Server() as server, ThreadPoolExecutor(2) as threads:
        server.tell("shut")
        begun = [threads.submit(_one, protocol, server) for protocol in ("rest", "grpc")]
        until(partial(_has, server, "mpm_images_in_hand 2.0"))
        server.tell("stop")
        until(lambda: not (_accepts("rest", server) or _accepts("grpc", server)))
        assert server.process.poll() is None
        server.tell("open")
        assert [one.result(SOON) for one in begun] == [1, 1]
    assert server.refused_late == 0


def test_what_is_not_done_in_time_is_refused_in_a_sentence() -> None:
    """Two are in the model's hands, two wait for it; and it holds on for longer than they may."""
    with Server(grace=0.2) as server, ThreadPoolExecutor(4) as threads:
        server.tell("shut")
        begun = [threads.submit(_refused, *one) for one in [("rest", server), ("grpc", server)] * 2]
        until(partial(_has, server, "mpm_images_in_hand 4.0"))
        server.tell("stop")
        told = sorted(one.result(SOON) for one in begun)
        assert server.process.poll() is None  # the model is not done
        assert server.tell("open") <= 2
    sentence = "this server is stopping; send it to another one"
    assert told == [("503", sentence)] * 2 + [("UNAVAILABLE", sentence)] * 2
    assert server.refused_late == 4


def _one(protocol: str, server: Server) -> int:
    """Ask for one image, and return how many label maps came."""
    with Client(protocol, server) as client:
        return len(client.ask([FILE]).as_numpy("label_map"))


def _refused(protocol: str, server: Server) -> tuple[str, str]:
    """Ask for one image, and return with which status and sentence it was refused."""
    with Client(protocol, server) as client:
        return client.refused(files=[FILE])


def _has(server: Server, line: str) -> bool:
    return line in server.metrics()


def _accepts(protocol: str, server: Server) -> bool:
    try:
        with Client(protocol, server) as client:
            return bool(client.client.is_server_ready())
    except (OSError, Exception):  # noqa: BLE001 - whatever a client says of a server that is gone
        return False


def _go_away(client: Client, server: Server) -> None:
    """Send a request, and leave once it waits for the model."""
    waits = partial(_has, server, 'mpm_images_waiting{model="toy"} 1.0')
    if client.protocol == "rest":
        connection = http.client.HTTPConnection("127.0.0.1", server.rest, timeout=SOON)
        body = json.dumps({"inputs": [JSON_IMAGE]})
        connection.request("POST", "/v2/models/toy/infer", body)
        until(waits)
        connection.close()
    else:
        ended = threading.Event()
        tensors = [client.tensor(np.array([FILE], np.object_))]
        call = client.client.async_infer("toy", tensors, lambda result, error: ended.set())
        until(waits)
        call.cancel()
        assert ended.wait(SOON)
