import itertools
import threading
import time

import pytest

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


def test_waiting_is_measured():
    def slow():
        for i in range(3):
            time.sleep(0.05)
            yield i

    with Prefetched(slow()) as items:
        waited = [(item, items.seconds_waited) for item in items]
    assert sum(seconds for _, seconds in waited) >= 0.1
    with Prefetched(range(3), ahead=4) as items:
        while items.ready < 4:
            time.sleep(0.01)
        waited = [(item, items.seconds_waited) for item in items]
    assert sum(seconds for _, seconds in waited) < 0.1
