"""Batches that a thread makes while the device computes."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


class Prefetched(Iterator[Item]):
    """The items of an iterable in its order, of which a thread holds the next ones ready. Close it, or use `with`.

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
        self._thread.start()

    @property
    def ready(self) -> int:
        """Number of entries that are ready, of which the last one is the end."""
        return self._ready.qsize()

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
        self.close()

    def close(self) -> None:
        """Ends the thread; it may finish the item that it is making."""
        self._closed.set()
        self._thread.join()
