"""Do work ahead of whoever asks for it, in order and within bounds.

    items ─▶ prefetch on decode workers ─▶ in_batches ─▶ prefetch on the model's thread ─┐
             at most `ahead` in flight                   at most 2 batches in flight     │
                                           results ◀─ prefetch on the labels' thread ◀───┘
                                                      at most 2 batches in flight

Iterators all the way: nothing is fetched before it is asked for or waits in the bounded window, an
exception surfaces where the iterator is read, and closing the iterator ends the work.
"""

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
        Whatever the work or ``items`` raise. Then, and when the generator is closed early, work
        not yet begun is cancelled and work in progress waited for.
    """
    in_flight: deque[Future[Outcome]] = deque()
    try:
        for item in items:
            in_flight.append(submit(item))
            if len(in_flight) >= ahead:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
    finally:
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
    """
    batch: list[Item] = []
    filled = 0
    for item in items:
        batch.append(item)
        filled += counts(item)
        if filled in (0, size):
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch
