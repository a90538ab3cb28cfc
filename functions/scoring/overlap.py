"""Reading ahead: the next block is read and parsed while this one is scored."""

import queue
import threading
from collections.abc import Iterator


class _End:
    """Marks the end of the items, or carries the error that ended them."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def read_ahead[T](items: Iterator[T], *, depth: int = 2) -> Iterator[T]:
    """Yield `items` in order while a thread fetches up to `depth` of them in advance.

    An error of `items` is raised where it would have been. If the consumer stops early, the thread stops with it.
    """
    ready: queue.Queue[T | _End] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | _End) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def fetch() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, who raises it
            put(_End(error))
        else:
            put(_End())

    thread = threading.Thread(target=fetch, name="read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()
