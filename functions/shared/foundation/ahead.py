"""Work done ahead, in threads and in order: the next blocks are fetched, parsed and scored while this one is written."""

import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue


def map_ahead[T, R](work: Callable[[T], R], items: Iterator[T], *, threads: int | None = None) -> Generator[R]:
    """Yield `work(item)` of each item, in order, while later items are already drawn and worked on.

    One thread draws the items, so what drawing costs overlaps with everything else; `threads` of them (by default one a
    processor) work. At most `threads` + 1 items are drawn and not yet consumed, so memory is bounded.

    An error, of `items` or of `work`, is raised where it would have been. If the consumer stops early, all threads end.
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
        if not sys.is_finalizing():  # then the thread stands still for ever
            drawer.join()
        pool.shutdown(cancel_futures=True)
