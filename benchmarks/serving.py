"""Measures a server: ``python -m benchmarks.serving``

`mpm-deploy serve` in a process of its own, clients in this one, both on the same cores:

    speed      images a second of 8 clients, over REST and over gRPC, beside what
               `mpm-deploy bench` says end to end, in turns
    steady     so many requests one after the other from each client: none fails, memory is flat
    overload   ten times the requests that it can answer: how soon it says that it cannot

The targets: 0.9 of the FPS of `mpm-deploy bench`, none that fails and 1 % more memory, 100 ms.
"""

import argparse
import http.client
import json
import re
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.bench.cache import merged
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table, verdicts_table
from benchmarks.bench.targets import Verdict, judge
from benchmarks.bench.turns import PAUSE_SECONDS, ratio
from benchmarks.record import IMAGES
from mpm_deploy.artifact import read_manifest
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.speed.engine import PROGRAM, Engine
from mpm_deploy.measure.speed.report import Spread

LEAST_OF_BENCH = 0.9
MOST_MEMORY = 1.01
MOST_MS = 100

MODEL = "served"
PLACES = 64
_ASKS = 4  # for each image, in a turn
Row = dict[str, Any]
Send = Callable[[bytes], int]  # an image to the status of its answer


class Answer(NamedTuple):
    """What came of one request, and how many seconds it took."""

    status: int
    seconds: float


class Ports(NamedTuple):
    """Where the server listens."""

    rest: int
    grpc: int


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--artifact", type=Path, help="default: the demo model of cpu_fp32")
    parser.add_argument("--steady-artifact", type=Path, help="a quicker one for many requests")
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--limit", type=int, default=32, help="first images of the folder")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20_000, help="of the steady part")
    parser.add_argument("--seconds", type=float, default=20, help="of the overload")


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure the three parts, one after the other."""
    artifact = options.artifact or merged("cpu_fp32")
    files = [file.read_bytes() for file in find_images(options.images)[: options.limit]]
    record: Row = {"clients": options.clients, "places": PLACES, **facts_of(artifact)}
    with serving(artifact) as ports:
        rows = speed(artifact, ports, files, options)
        record["speed"] = rows
        yield Finding(record, [rows_table(rows, "images a second")])
        capacity = max(row["fps"] for row in rows if row["clients"])
        record["overload"] = overload(ports, files, 10 * capacity, options.seconds)
        yield Finding(record, [rows_table([record["overload"]], "at ten times its capacity")])
    steady_artifact = options.steady_artifact or artifact
    with serving(steady_artifact) as ports:
        record["steady"] = facts_of(steady_artifact) | steady(ports, files, options)
    judged = verdicts(record)
    record["verdicts"] = [asdict(verdict) for verdict in judged]
    yield Finding(record, [rows_table([record["steady"]], "many requests"), verdicts_table(judged)])


def verdicts(record: Row) -> list[Verdict]:
    """Judge what was measured."""
    steady, overload = record["steady"], record["overload"]
    return [
        *(
            judge(
                f"{row['program']}: FPS over the bench's",
                LEAST_OF_BENCH,
                Spread(row["share"], row["share_min"], row["share_max"]),
            )
            for row in record["speed"]
            if row["clients"]
        ),
        judge("requests that fail", 0, [steady["failed"]], at_most=True),
        judge("memory over that after a tenth", MOST_MEMORY, [1 + steady["growth"]], at_most=True),
        judge("milliseconds to a refusal", MOST_MS, [overload["refused_ms_most"]], at_most=True),
    ]


def facts_of(artifact: Path) -> Row:
    """Return what an artifact is."""
    manifest = read_manifest(artifact)
    return {
        "recipe": manifest.recipe["name"],
        "model": manifest.model.name,
        "input_size": [manifest.input.height, manifest.input.width],
    }


def speed(
    artifact: Path, ports: Ports, files: Sequence[bytes], options: argparse.Namespace
) -> list[Row]:
    """Measure images a second of the bench and of both protocols, in turns."""
    senders = {"rest": rest_sender, "grpc": grpc_sender}
    sizes = sorted({1, torch.get_num_threads()})
    bench: dict[int, list[float]] = {size: [] for size in sizes}
    served: dict[str, list[float]] = {name: [] for name in senders}
    with Engine(artifact, options.images, limit=options.limit) as engine:
        engine.ask("open")
        for size in sizes:
            engine.ask("warmup", batch_size=size)
        for turn in range(options.rounds):
            for size, fps in bench.items():
                time.sleep(PAUSE_SECONDS)
                answer = engine.ask("end_to_end", batch_size=size)
                fps.append(answer["images"] / answer["seconds"])
            # who comes right behind the bench is a little slower for it: each in every other turn
            for name in sorted(senders, reverse=turn % 2 == 0):
                time.sleep(PAUSE_SECONDS)
                served[name].append(served_fps(senders[name], ports, files, options.clients))
    best = max(bench.values(), key=statistics.median)
    rows = [row_of(f"bench, batch {size}", 0, fps, best) for size, fps in bench.items()]
    return rows + [row_of(name, options.clients, fps, best) for name, fps in served.items()]


def row_of(name: str, clients: int, fps: Sequence[float], best: Sequence[float]) -> Row:
    """Return the median FPS of a way, and its ratio to the best of the bench, turn by turn."""
    share = ratio(fps, best)
    return {
        "program": name,
        "clients": clients,
        "fps": statistics.median(fps),
        "share": share.median,
        "share_min": share.min,
        "share_max": share.max,
    }


def served_fps(
    sender: Callable[[Ports], Any], ports: Ports, files: Sequence[bytes], clients: int
) -> float:
    """Return the answers a second while all clients ask, for every image so often that begin and
    end, where not all of them ask, count for little.
    """
    begin = time.perf_counter()
    answers = ask(sender, ports, files, _ASKS * len(files), clients)
    seconds = time.perf_counter() - begin
    assert {answer.status for answer in answers} == {200}
    return len(answers) / seconds


def steady(ports: Ports, files: Sequence[bytes], options: argparse.Namespace) -> Row:
    """Send many requests, and compare memory after a tenth of them with that at the end."""
    statuses: Counter[int] = Counter()
    resident = []
    for part in (options.requests // 10, options.requests - options.requests // 10):
        answers = ask(rest_sender, ports, files, part, options.clients)
        statuses += Counter(answer.status for answer in answers)
        resident.append(metric(ports, "process_resident_memory_bytes") / 2**20)
    return {
        "requests": statuses.total(),
        "failed": statuses.total() - statuses[200],
        "settled_mib": round(resident[0], 1),
        "end_mib": round(resident[-1], 1),
        "growth": round(resident[-1] / resident[0] - 1, 4),
    }


def overload(ports: Ports, files: Sequence[bytes], rate: float, seconds: float) -> Row:
    """Send requests at a rate, whatever becomes of them, and time those that are refused."""
    answers = ask(rest_sender, ports, files, int(rate * seconds), PLACES + 32, rate)
    refused = sorted(a.seconds * 1e3 for a in answers if a.status in (429, 503))
    statuses = Counter(str(answer.status) for answer in answers)
    return {
        "rate": round(rate, 1),
        "requests": len(answers),
        "answered": statuses.pop("200", 0),
        "refused": len(refused),
        "others": sum(statuses.values()) - len(refused),
        "refused_ms_median": statistics.median(refused),
        "refused_ms_99_percent": refused[int(0.99 * len(refused))],
        "refused_ms_most": refused[-1],
    }


def ask(
    sender: Callable[[Ports], Any],
    ports: Ports,
    files: Sequence[bytes],
    requests: int,
    clients: int,
    rate: float | None = None,
) -> list[Answer]:
    """Send requests from several clients, each after its last was answered.

    Args:
        sender: Opens a client.
        ports: Where the server listens.
        files: Images, in turn.
        requests: How many.
        clients: How many clients.
        rate: Requests a second of all together, at most; None is as fast as they are answered.
    """
    numbers, lock, begin = count(), threading.Lock(), time.perf_counter()

    def one_client(_: int) -> list[Answer]:
        answers = []
        with sender(ports) as send:
            while True:
                with lock:
                    number = next(numbers)
                if number >= requests:
                    return answers
                if rate is not None:
                    time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
                sent = time.perf_counter()
                status = send(files[number % len(files)])
                answers.append(Answer(status, time.perf_counter() - sent))

    with ThreadPoolExecutor(clients) as threads:
        return [answer for part in threads.map(one_client, range(clients)) for answer in part]


@contextmanager
def rest_sender(ports: Ports) -> Iterator[Send]:
    """Open a client of REST, which sends files behind their JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", ports.rest)

    def send(file: bytes) -> int:
        size = 4 + len(file)
        tensor = {"name": "image", "datatype": "BYTES", "shape": [1]}
        tensor["parameters"] = {"binary_data_size": size}
        head = json.dumps({"parameters": {"binary_data_output": True}, "inputs": [tensor]}).encode()
        headers = {
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": str(len(head)),
        }
        body = head + len(file).to_bytes(4, "little") + file
        connection.request("POST", f"/v2/models/{MODEL}/infer", body, headers)
        response = connection.getresponse()
        response.read()
        return response.status

    try:
        yield send
    finally:
        connection.close()


@contextmanager
def grpc_sender(ports: Ports) -> Iterator[Send]:
    """Open a client of gRPC."""
    import numpy as np
    from tritonclient.grpc import InferenceServerClient, InferInput

    # a connection of its own: clients of one process share one otherwise
    options = [("grpc.use_local_subchannel_pool", 1)]
    with InferenceServerClient(f"127.0.0.1:{ports.grpc}", channel_args=options) as client:

        def send(file: bytes) -> int:
            tensor = InferInput("image", [1], "BYTES")
            tensor.set_data_from_numpy(np.array([file], np.object_))
            client.infer(MODEL, [tensor])
            return 200

        yield send


def metric(ports: Ports, name: str) -> float:
    """Return the value of a metric of the server's."""
    connection = http.client.HTTPConnection("127.0.0.1", ports.rest)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    (value,) = re.findall(rf"^{name} (.*)$", text, re.MULTILINE)
    return float(value)


@contextmanager
def serving(artifact: Path) -> Iterator[Ports]:
    """Start a server, and stop it as a supervisor does."""
    command = [*PROGRAM, "serve", f"{MODEL}={artifact}", "--port=0", "--grpc-port=0"]
    command.append(f"--queue={PLACES}")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"http://\S+:(\d+), gRPC at \S+:(\d+)", line):
                    # what it says later is read, so that it never waits to say it
                    threading.Thread(target=process.stderr.read, daemon=True).start()
                    yield Ports(*map(int, found.groups()))
                    break
        finally:
            process.terminate()
        assert process.wait() == 0


MEMBER = Member(
    "serving",
    "a server under load: speed, memory, and past its capacity",
    measure,
    add_options,
    needs=("kserve", "tritonclient"),
)

if __name__ == "__main__":
    MEMBER.run()
