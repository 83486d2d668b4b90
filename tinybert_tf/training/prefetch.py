"""Batches that a thread makes while the device computes."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_END = object()
_LAST_WORDS = 1.0  # seconds in which the thread may finish the item that it is making


class Prefetched(Iterator[Item]):
    """The items of an iterable in its order, of which a thread holds the next ones ready. To be used in a `with`.

    The thread begins with the first item that is asked for. After the `with` it makes no more, and there are no more.

    Args:
        items: An iterable that nothing else reads. What it raises is raised where its next item would be.
        ahead: Most items that are ready.

    Attributes:
        seconds_waited: How long the reader has waited for the last item.
    """

    def __init__(self, items: Iterable[Item], ahead: int = 2):
        self.seconds_waited = 0.0
        self._ready: queue.Queue = queue.Queue(ahead)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(items,), name="prefetch", daemon=True)

    def _read(self, items: Iterable[Item]) -> None:
        try:
            for item in items:
                if not self._put((item, None)):
                    return
            self._put((_END, None))
        except BaseException as error:  # it belongs to the reader, whatever it is
            self._put((_END, error))

    def _put(self, entry: tuple) -> bool:
        """Returns whether there is still a reader."""
        while not self._closed.is_set():
            try:
                self._ready.put(entry, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __next__(self) -> Item:
        if self._closed.is_set():
            raise StopIteration
        if self._thread.ident is None:
            self._thread.start()
        start = time.perf_counter()
        item, error = self._ready.get()
        self.seconds_waited = time.perf_counter() - start
        if item is not _END:
            return item
        self._ready.put((item, error))  # for whoever asks again
        raise error or StopIteration

    def __enter__(self) -> "Prefetched[Item]":
        return self

    def __exit__(self, *exception) -> None:
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join(_LAST_WORDS)  # not for ever: to find the next item may take it long
