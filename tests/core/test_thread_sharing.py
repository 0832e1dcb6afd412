"""Work shared out among threads gives what one thread gives."""

from __future__ import annotations

import threading
import time

import pytest

from medrecon.core.threads import in_order, in_parts, second_thread


def test_results_come_in_the_items_order_whoever_is_done_first():
    def work(n: int) -> int:
        time.sleep(0.01 * (5 - n))
        return n * n

    assert list(in_order(work, range(6))) == [0, 1, 4, 9, 16, 25]
    assert list(in_order(work, [])) == []


def test_an_error_ends_it_and_what_was_not_begun_stays_so():
    begun: list[int] = []
    lock = threading.Lock()

    def work(n: int) -> int:
        with lock:
            begun.append(n)
        time.sleep(0.02)
        if n == 1:
            raise ValueError("item 1 is broken")
        return n

    with pytest.raises(ValueError, match="item 1 is broken"):
        list(in_order(work, range(100)))
    assert len(begun) < 50


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_parts_cover_everything_once(threads):
    seen = [n for part in in_parts(range, 101, threads=threads) for n in part]
    assert seen == list(range(101))


@pytest.mark.parametrize("broken", [0, 57, 100])
def test_an_error_in_any_part_is_the_callers(broken):
    def work(first: int, stop: int) -> None:
        if first <= broken < stop:
            raise ValueError(f"at {broken}")

    with pytest.raises(ValueError, match=f"at {broken}"):
        in_parts(work, 101, threads=3)


def test_an_error_does_not_wait_for_what_the_second_thread_has_not_begun():
    begun: list[int] = []

    def work(n: int) -> None:
        begun.append(n)
        time.sleep(0.05)

    with pytest.raises(KeyboardInterrupt), second_thread() as meanwhile:
        for n in range(50):
            meanwhile.submit(work, n)
        time.sleep(0.02)
        raise KeyboardInterrupt
    assert len(begun) < 5
