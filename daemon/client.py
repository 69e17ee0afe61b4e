"""A client of the daemon: ask, command, and follow the events without losing one (DESIGN §7).

    with Client() as client:
        for update in client.follow():
            if isinstance(update, Event):
                print(update.message)

``follow`` subscribes first, then takes a snapshot, then goes on with what arrives; a number that is skipped
is asked for with ``replay``, and a new epoch (the daemon was restarted) begins with a new snapshot. When
nothing arrives it asks too, so that a loss at the end of the stream is found, and it says how long the
daemon has been silent. A client belongs to one thread.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
import zmq
from numpy.typing import NDArray

from daemon.asking import Asker
from daemon.endpoints import connect
from daemon.errors import ConfigurationError, UnreachableError, WireError
from daemon.face_block import FaceBlock
from daemon.keys import ClientKey
from daemon.requests import (
    Abort,
    Acknowledge,
    AnyRequest,
    Arm,
    Disarm,
    Latest,
    ReadFace,
    ReadPlanes,
    Replay,
    Snapshot,
    Stop,
)
from daemon.wire import Envelope, Event, decode, garbage, read_fields, understand, unpack_arrays

EVENTS = "tcp://127.0.0.1:5555"
CONTROL = "tcp://127.0.0.1:5556"
LINGER_MS = 500
understand(FaceBlock)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Messages that were asked for: a snapshot starts a picture of the run anew, a replay continues it."""

    envelope: Envelope
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing has come for ``seconds``; ``reachable`` says whether the daemon still answers when asked."""

    seconds: float
    reachable: bool


Update = Answer | Event | Silence


class Client:
    """A connection to one daemon. ``timeout_s`` is how long an answer may take.

    ``key`` is needed where the daemon has keys (``daemon.keys.read_client_key``). ``clock`` is monotonic, in
    seconds. Connecting does not fail: the first request does, with ``UnreachableError``, if nobody answers.
    """

    def __init__(
        self,
        events: str = EVENTS,
        control: str = CONTROL,
        *,
        timeout_s: float = 5.0,
        key: ClientKey | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events_endpoint = events
        self._key = key
        self._clock = clock
        self._context = zmq.Context()
        self._asked = 0
        try:
            self._asker = Asker(self._context, control, timeout_s=timeout_s, key=key, clock=clock)
            self._subscribe().close(linger=0)  # so that a mistyped endpoint is told at once
        except ConfigurationError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self._context.destroy(linger=LINGER_MS)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def snapshot(self) -> Answer:
        """The last message on every subject, in order."""
        return self._messages(Snapshot(id=self._next_id()))

    def latest(self, topic: str) -> Event | None:
        """The last message of a topic, with its arrays; None if there has been none."""
        events = self.last(topic).events
        return events[-1] if events else None

    def last(self, topic: str) -> Answer:
        """The last message of a topic, if there has been one, in the envelope of an answer given now."""
        return self._messages(Latest(id=self._next_id(), topic=topic))

    def replay(self, run: str, epoch: int, seq: int) -> Answer:
        """The messages from number ``seq`` on; WireError when they are no longer kept."""
        return self._messages(Replay(id=self._next_id(), run=run, epoch=epoch, seq=seq))

    def planes(
        self, first: int, count: int, level: int = 0, y: int = 0, x: int = 0, height: int = 0, width: int = 0
    ) -> NDArray[np.uint8]:
        """Labels (z, y, x) of a block of the volume, in voxels of the pyramid level; 0 is to the edge."""
        block = {"level": level, "y": y, "x": x, "height": height, "width": width}
        header, payload = self._asker.ask(ReadPlanes(id=self._next_id(), first=first, count=count, **block))
        arrays = unpack_arrays(header, payload)
        if set(arrays) != {"labels"} or arrays["labels"].ndim != 3:
            raise garbage("the answer holds no planes")
        return arrays["labels"].astype(np.uint8, copy=False)

    def face(
        self,
        slice_: int,
        layer: str,
        *,
        y: int = 0,
        x: int = 0,
        height: int = 0,
        width: int = 0,
        step: int = 1,
    ) -> FaceBlock:
        """A block of a face's layer (``ReadFace``: an image, labels, solid) in its px; 0 is to the edge."""
        block = {"y": y, "x": x, "height": height, "width": width, "step": step}
        header, payload = self._asker.ask(ReadFace(id=self._next_id(), slice=slice_, layer=layer, **block))
        arrays = unpack_arrays(header, payload)
        if set(arrays) != {"face"} or arrays["face"].ndim != 2:
            raise garbage("the answer holds no face")
        return read_fields({**header, "pixels": arrays["face"]}, FaceBlock)

    def acknowledge(self, alarm: str, by: str) -> None:
        """Say that ``by`` has seen an alarm."""
        self._asker.ask(Acknowledge(id=self._next_id(), alarm=alarm, by=by, token=_token()))

    def arm(self, by: str) -> None:
        """Let an alarm of drift stop the microscope."""
        self._asker.ask(Arm(id=self._next_id(), by=by, token=_token()))

    def disarm(self, by: str) -> None:
        """Let an alarm of drift only tell."""
        self._asker.ask(Disarm(id=self._next_id(), by=by, token=_token()))

    def stop(self, by: str, reason: str = "") -> None:
        """End the run after the slice in hand."""
        self._asker.ask(Stop(id=self._next_id(), by=by, reason=reason, token=_token()))

    def abort(self, by: str, reason: str = "") -> None:
        """Stop the microscope."""
        self._asker.ask(Abort(id=self._next_id(), by=by, reason=reason, token=_token()))

    def follow(
        self, *, patience_s: float = 1.0, until: Callable[[], bool] = lambda: False
    ) -> Iterator[Update]:
        """A snapshot, then every later event once and in order; ``Silence`` each ``patience_s`` without one.

        ``until`` is asked between updates and ends the iteration. An unreachable daemon is waited for.
        """
        subscriber = self._subscribe()
        try:
            yield from self._follow(subscriber, patience_s, until)
        finally:
            subscriber.close(linger=0)

    def _follow(
        self, subscriber: zmq.Socket[Any], patience_s: float, until: Callable[[], bool]
    ) -> Iterator[Update]:
        position: Envelope | None = None
        heard = self._clock()
        while not until():
            try:
                updates = self._next_updates(subscriber, position, patience_s)
                reachable = True
            except UnreachableError:
                updates, reachable = [], False
            for update in updates:
                heard, position = self._clock(), update.envelope
                yield update
            if self._clock() - heard >= patience_s:
                yield Silence(self._clock() - heard, reachable)

    def _next_updates(
        self, subscriber: zmq.Socket[Any], position: Envelope | None, patience_s: float
    ) -> Sequence[Answer | Event]:
        """What comes after ``position``: the next event, or what was missed, or a new beginning."""
        if position is None:
            return [self.snapshot()]
        event = _received(subscriber, patience_s)
        if event is None or _stream(event.envelope) != _stream(position):
            return self._missed(position)
        if event.envelope.seq <= position.seq:
            return []
        return [event] if event.envelope.seq == position.seq + 1 else self._missed(position)

    def _missed(self, position: Envelope) -> Sequence[Answer | Event]:
        try:
            return self.replay(position.run, position.epoch, position.seq + 1).events
        except UnreachableError:
            raise
        except WireError:
            return [self.snapshot()]

    def _next_id(self) -> int:
        self._asked += 1
        return self._asked

    def _messages(self, request: AnyRequest) -> Answer:
        header, payload = self._asker.ask(request)
        events = tuple(decode(parts) for parts in _multiparts(payload))
        return Answer(read_fields(header, Envelope), events)

    def _subscribe(self) -> zmq.Socket[Any]:
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, 10_000)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2_000)
        connect(socket, self._events_endpoint, self._key)
        socket.subscribe(b"")
        return socket


def _token() -> str:
    """So that a command which arrives twice is obeyed once."""
    return uuid.uuid4().hex


def _received(subscriber: zmq.Socket[Any], patience_s: float) -> Event | None:
    if not subscriber.poll(math.ceil(patience_s * 1000)):
        return None
    return decode(subscriber.recv_multipart())


def _stream(envelope: Envelope) -> tuple[str, int]:
    """Numbers are comparable within one run and one start of its daemon."""
    return envelope.run, envelope.epoch


def _multiparts(payload: Sequence[bytes]) -> list[list[bytes]]:
    try:
        (body,) = payload
        return msgspec.msgpack.decode(body, type=list[list[bytes]])
    except (ValueError, msgspec.DecodeError) as error:
        raise garbage(f"the answer holds no messages: {error}") from error
