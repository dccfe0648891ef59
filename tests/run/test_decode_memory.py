import threading
import time

import pytest

from mpm_deploy.errors import ImageError
from mpm_deploy.run.decode_memory import BYTES_A_PIXEL, DecodeMemory


def test_an_image_waits_until_there_is_room_for_it() -> None:
    memory = DecodeMemory(max_pixels=100)
    let_in = threading.Event()

    def second() -> None:
        with memory.room() as admit:
            admit(10, 5)
            let_in.set()

    thread = threading.Thread(target=second)
    with memory.room() as admit:
        admit(10, 6)
        thread.start()
        time.sleep(0.05)
        assert not let_in.is_set()
    thread.join(10)
    assert let_in.is_set()


def test_room_is_given_back_after_an_error_and_the_largest_image_has_room() -> None:
    memory = DecodeMemory(max_pixels=100)
    for _ in range(3):
        with pytest.raises(ImageError, match="more than the 100 that"), memory.room() as admit:
            admit(11, 10)
        with pytest.raises(MemoryError), memory.room() as admit:
            admit(10, 10)
            raise MemoryError


def test_many_threads_never_take_more_than_the_budget() -> None:
    memory = DecodeMemory(max_pixels=100)
    most = 0

    def work() -> None:
        nonlocal most
        for side in (3, 9, 5, 10, 1):
            with memory.room() as admit:
                admit(side, side)
                most = max(most, memory._taken)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert 0 < most <= 100 * BYTES_A_PIXEL and memory._taken == 0
