"""A limit on the time that a call may take, whatever it hangs on."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


class OutOfTimeError(Exception):
    """The call had not returned when its time was up; its thread is left behind and ends with the process."""


def within(limit_s: float, call: Callable[[], T], name: str = "abort action") -> T:
    """The result of ``call``, or what it raises; ``name`` is that of its thread.

    A time-out of a socket covers one read; a peer that sends a byte a minute would hold us for ever.

    Raises
    ------
    OutOfTimeError
        It took longer than ``limit_s`` seconds.
    """
    ended: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            ended.put((call(), None))
        except BaseException as error:
            ended.put((None, error))

    thread = Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except (
        RuntimeError
    ):  # no thread to be had: the call keeps its own time limits, and matters more than ours
        return call()
    try:
        result, error = ended.get(timeout=limit_s)
    except Empty as empty:
        raise OutOfTimeError(f"no answer within {limit_s:g} s") from empty
    thread.join()  # it is about to end
    if error is not None:
        raise error
    return result  # pyright: ignore[reportReturnType]
