"""Repeat something in the background while work goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def beating(beat: Callable[[], None], every_s: float, *, at_once: bool = False) -> Iterator[None]:
    """Call `beat` after each interval while the block runs; `at_once` begins with it."""
    done = Event()

    def repeat() -> None:
        if at_once:
            beat()
        while not done.wait(every_s):
            beat()

    heart = Thread(target=repeat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()
