import itertools
import threading
import time

import pytest

from tinybert_tf.training import prefetch
from tinybert_tf.training.prefetch import Prefetched


def test_items_come_in_their_order_and_end():
    with Prefetched(range(100)) as items:
        assert list(items) == list(range(100))
        assert list(items) == []


def test_no_more_items_are_made_than_are_wanted_ahead():
    made = []
    with Prefetched((made.append(i) or i for i in itertools.count()), ahead=2) as items:
        assert next(items) == 0
        while len(made) < 4:
            time.sleep(0.01)
        time.sleep(0.05)
        assert made == [0, 1, 2, 3]  # one read, two ready, one in the hand of the thread


def test_an_error_comes_where_its_item_would_be():
    def broken():
        yield 1
        raise OSError("disk gone")

    with Prefetched(broken()) as items:
        assert next(items) == 1
        for _ in range(2):
            with pytest.raises(OSError, match="disk gone"):
                next(items)


def test_closing_ends_the_thread_in_the_middle():
    before = threading.active_count()
    with Prefetched(itertools.count()) as items:
        next(items)
    assert threading.active_count() == before


def test_waiting_is_measured(monkeypatch):
    clock = iter([10.0, 13.5, 20.0, 20.25])
    monkeypatch.setattr(prefetch.time, "perf_counter", lambda: next(clock))
    with Prefetched(range(2)) as items:
        waited = [(next(items), items.seconds_waited) for _ in range(2)]
    assert waited == [(0, 3.5), (1, 0.25)]


def test_nothing_is_read_before_the_first_item_is_wanted():
    def never():
        raise AssertionError("read")
        yield

    with Prefetched(never()):
        pass


def test_an_error_beside_a_slow_source_is_not_held_up_and_nothing_comes_after():
    wait = threading.Event()

    def stuck():
        yield 1
        wait.wait(30)
        yield 2

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Prefetched(stuck()) as items:
        next(items)
        raise KeyboardInterrupt
    assert time.monotonic() - begin < 10
    assert list(items) == []
    wait.set()
