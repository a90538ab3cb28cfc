"""Work ahead in threads: fetch and score later blocks while one is written."""

import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue


def map_ahead[T, R](work: Callable[[T], R], items: Iterator[T], *, threads: int | None = None) -> Generator[R]:
    """Yield `work(item)` per item, in order, while later items are already in work.

    One thread draws the items, so that drawing overlaps with everything else. `threads` others do the work; the default is one per
    processor. Memory is bounded, since at most `threads` + 1 items are drawn but not yet consumed.

    An error of `items` or `work` is raised at its place in the order. If the consumer stops early, all threads end.
    """
    workers = threads or os.process_cpu_count() or 1
    pool = ThreadPoolExecutor(workers)
    results: SimpleQueue[Future[R] | None] = SimpleQueue()
    places = threading.Semaphore(workers)
    stopped = threading.Event()

    def draw() -> None:
        try:
            for item in items:
                results.put(pool.submit(work, item))
                places.acquire()
                if stopped.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, who raises it
            failed: Future[R] = Future()
            failed.set_exception(error)
            results.put(failed)
        results.put(None)

    drawer = threading.Thread(target=draw, name="draw-ahead", daemon=True)
    drawer.start()
    try:
        while (result := results.get()) is not None:
            yield result.result()
            places.release()
    finally:
        stopped.set()
        places.release()
        if not sys.is_finalizing():  # during finalization the thread never ends
            drawer.join()
        pool.shutdown(cancel_futures=True)
