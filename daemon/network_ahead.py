"""The network goes on with the next slice while the loop still counts, stores and tells the one before it.

A thread of its own prepares the face that :mod:`daemon.look_ahead` has found, and asks the network for what
the loop will want to know first of that slice: by the functions that the loop itself calls, from the very
faces that it will have. What it finds is kept under these faces; when the loop wants something else, it
computes that in its turn. So the results are the same bits with it and without, and as the loop waits while
the thread is busy, the network never runs twice at once: memory stays what one inference takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread

import numpy as np
import structlog
from numpy.typing import NDArray

from daemon.config import Configuration
from daemon.items import RegisteredSlice
from daemon.stages import segmenting
from daemon.stages.segmenting import FaceStack
from models.session import Segmenter

_log = structlog.get_logger("slicewatch")
Probabilities = NDArray[np.float32]
_Key = tuple[int, tuple[FaceStack, ...]]


@dataclass(frozen=True, slots=True)
class Face:
    """A slice's region of interest as it was photographed, and as the network is to see it."""

    aligned: FaceStack
    prepared: FaceStack


@dataclass(slots=True)
class _Found:
    """What the thread has found; ``busy`` while more may come. Guarded by the condition of its owner."""

    busy: bool = True
    registered: RegisteredSlice | None = None
    face: Face | None = None
    probabilities: dict[_Key, Probabilities] = field(default_factory=dict["_Key", "Probabilities"])


class NetworkAhead:
    """Prepares faces and classifies them, in its turn or before; one thread, the loop's, uses it."""

    def __init__(self, configuration: Configuration, segmenter: Segmenter) -> None:
        self._configuration = configuration
        self._segmenter = segmenter
        self._changed = Condition()
        self._found = _Found(busy=False)
        self._thread: Thread | None = None

    def begin(
        self,
        coming: Callable[[], RegisteredSlice | None],
        faces: Iterable[FaceStack],
        wanted: Callable[[int], Sequence[int]],
    ) -> None:
        """Work on the slice that ``coming`` waits for, if there is one; what was found before is forgotten.

        ``faces`` are at hand; ``wanted`` lists, by the index of the slice, the faces that will be asked for.
        """
        self.close()
        self._found = _Found()
        arguments = (self._found, coming, list(faces), wanted)
        self._thread = Thread(target=self._work, args=arguments, name="network-ahead", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait until the network is idle; a process that ends in the middle of it may crash."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def face(self, registered: RegisteredSlice) -> Face:
        """The region of interest of a slice."""
        found = self._found
        with self._changed:
            self._changed.wait_for(lambda: found.face is not None or not found.busy)
            if found.face is not None and found.registered is registered:
                return found.face
        return self._face(registered)

    def classify(self, faces: Sequence[FaceStack], centre: int) -> Probabilities:
        """As :func:`daemon.stages.segmenting.classify` gives it.

        Raises
        ------
        ModelError
            The network cannot be run.
        """
        key, found = self._key(faces, centre), self._found
        with self._changed:
            self._changed.wait_for(lambda: key in found.probabilities or not found.busy)
            known = found.probabilities.pop(key, None)
        return segmenting.classify(self._segmenter, faces, centre) if known is None else known

    def _work(
        self,
        found: _Found,
        coming: Callable[[], RegisteredSlice | None],
        faces: list[FaceStack],
        wanted: Callable[[int], Sequence[int]],
    ) -> None:
        try:
            registered = coming()
            if registered is None:
                return
            face = self._face(registered)
            with self._changed:
                found.registered, found.face = registered, face
                self._changed.notify_all()
            faces.append(face.prepared)
            for centre in wanted(registered.index):
                probabilities = segmenting.classify(self._segmenter, faces, centre)
                with self._changed:
                    found.probabilities[self._key(faces, centre)] = probabilities
                    self._changed.notify_all()
        except Exception:
            # Whatever it is, the loop comes to it in its turn, and decides what it means.
            _log.debug("network_ahead.failed", exc_info=True)
        finally:
            with self._changed:
                found.busy = False
                self._changed.notify_all()

    def _face(self, registered: RegisteredSlice) -> Face:
        names, roi = self._configuration.channel_names, self._configuration.geometry.roi
        aligned = segmenting.align(registered, names, roi)
        return Face(aligned, segmenting.prepared(aligned, self._configuration))

    def _key(self, faces: Sequence[FaceStack], centre: int) -> _Key:
        """Faces are themselves: another object of the same index is another face."""
        return centre, tuple(segmenting.window(self._segmenter, faces, centre))
