"""A server: REST and gRPC on the same models, until it is told to stop.

stop ─── grace ──▶ cut off ─── last words ──▶ left
what is new is     what is not done           once the model is done with the batches
refused            is refused too             that it was given
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from typing import NamedTuple

import uvicorn

from mpm_deploy.run.runner import Runner
from mpm_deploy.serve.listener import address_of, listen
from mpm_deploy.serve.metrics import IN_HAND
from mpm_deploy.serve.model import ServedModel
from mpm_deploy.serve.places import Places
from mpm_deploy.serve.plane import Models, Plane
from mpm_deploy.serve.rest import RestEndpoints
from mpm_deploy.serve.rpc import grpc_server
from mpm_deploy.serve.settings import Settings
from mpm_deploy.support.cores import available_cores
from mpm_deploy.support.threads import set_intra_op_threads

_LAST_WORDS = 1  # seconds in which those that are cut off are told so


class Ports(NamedTuple):
    """Where a server listens."""

    rest: int
    grpc: int


async def serve(
    runners: Mapping[str, Runner],
    settings: Settings,
    stop: asyncio.Event,
    started: Callable[[Ports], None] = lambda ports: None,
) -> int:
    """Serve models until ``stop`` is set; then take nothing new, and finish what was begun.

    Args:
        runners: The artifacts by the names that clients know, open.
        settings: How.
        stop: Ends it.
        started: Told once requests are taken.

    Returns:
        The number of requests that were begun and refused after all, since the grace was over.

    Raises:
        InputError: It cannot listen where it is to.
    """
    places, models = Places(settings.places), Models()
    IN_HAND.set_function(lambda: places.taken)
    async with AsyncExitStack() as stack:
        threads = stack.enter_context(
            ThreadPoolExecutor(available_cores(), "mpm-serve", set_intra_op_threads, (1,))
        )
        for name, runner in runners.items():
            model = ServedModel(name, runner, places, threads, settings.batch)
            models.update(await stack.enter_async_context(model))
        await _listen(Plane(models, places), places, settings, stop, started)
    return places.refused_late


async def _listen(
    plane: Plane,
    places: Places,
    settings: Settings,
    stop: asyncio.Event,
    started: Callable[[Ports], None],
) -> None:
    address = address_of(settings.host, settings.grpc_port)
    # Of a port that is taken gRPC would print lines of its own.
    listen(settings.host, settings.grpc_port, "--grpc-port").close()
    rpc, grpc_port = grpc_server(plane, places, settings.max_bytes, address)
    with listen(settings.host, settings.port) as listener:
        endpoints = RestEndpoints(plane, places, settings.max_bytes, settings.patience)
        rest = _RestServer(
            uvicorn.Config(
                endpoints.application(),
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=math.ceil(settings.grace) + _LAST_WORDS,
            )
        )
        serving = asyncio.create_task(rest.serve(sockets=[listener]))
        await rpc.start()
        started(Ports(listener.getsockname()[1], grpc_port))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        places.close()
        rest.should_exit = True
        late = asyncio.get_running_loop().call_later(settings.grace, places.cut_off)
        await asyncio.gather(serving, rpc.stop(settings.grace + _LAST_WORDS))
        late.cancel()


class _RestServer(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
