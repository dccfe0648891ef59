"""Do work ahead of whoever asks for it, in order and within bounds.

    items ─▶ prefetch on decode workers ─▶ in_batches ─▶ prefetch on the model's thread ─┐
             at most `ahead` in flight                   at most 2 batches in flight     │
                                           results ◀─ prefetch on the labels' thread ◀───┘
                                                      at most 2 batches in flight

Iterators all the way: nothing is fetched before it is asked for or waits in the bounded window. An
exception surfaces where the iterator is read, behind all that came before it; closing the iterator
ends the work.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, wait
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def prefetch(
    submit: Callable[[Item], "Future[Outcome]"], items: Iterable[Item], ahead: int
) -> Generator[Outcome, None, None]:
    """Yield the outcome of every item, in the items' order, while others are being worked on.

    Args:
        submit: Starts the work on one item, as `Executor.submit` does.
        items: Read lazily, in the caller's thread.
        ahead: Items in flight at once, from 1 up.

    Raises:
        Whatever the work or ``items`` raise, once the outcomes before it are given. Then, and when
        the generator is closed early, work not yet begun is cancelled and work in progress waited
        for.
    """
    process = os.getpid()
    in_flight: deque[Future[Outcome]] = deque()
    try:
        for future in _begun(submit, items):
            in_flight.append(future)
            if len(in_flight) >= ahead:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
    finally:
        if os.getpid() == process:  # a fork leaves the threads of the work behind
            wait([future for future in in_flight if not future.cancel()])


def in_batches(
    items: Iterable[Item], size: int, counts: Callable[[Item], bool]
) -> Generator[list[Item], None, None]:
    """Cut a stream into lists, each with ``size`` items that count, the last with what is left.

    Args:
        items: What to cut.
        size: Counting items of a full batch.
        counts: Whether an item fills a place; one that does not rides along, so that the order is
            kept, or goes alone where no batch has begun.

    Raises:
        Whatever ``items`` raise, once the items before it are given.
    """
    batch: list[Item] = []
    filled = 0
    failure: Exception | None = None
    try:
        for item in items:
            batch.append(item)
            filled += counts(item)
            if filled in (0, size):
                yield batch
                batch, filled = [], 0
    except Exception as error:  # noqa: BLE001 - not understood here, only carried over
        failure = error
    if batch:
        yield batch
    if failure is not None:
        raise failure


def completed(outcome: Outcome) -> "Future[Outcome]":
    """Return the future of work that is done already."""
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future


def _begun(
    submit: Callable[[Item], "Future[Outcome]"], items: Iterable[Item]
) -> Generator["Future[Outcome]", None, None]:
    """Yield the work on each item; what the items or ``submit`` raise becomes the last one's."""
    try:
        for item in items:
            yield submit(item)
    except Exception as error:  # noqa: BLE001 - not understood here, only carried over
        failed: Future[Outcome] = Future()
        failed.set_exception(error)
        yield failed
