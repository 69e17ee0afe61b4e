"""The next slice is read, registered and measured while the network is still busy with the one before it.

A thread looks at the files that come next and computes what follows from them and from the states of now, by
the functions that the loop itself calls. It decides nothing, takes no file and tells nobody: what it finds is
kept under what it was found from, and when the loop comes to the same point it takes the value instead of
computing it. So results, messages and what a restart does are the same bits with it and without; at a
microscope that is slower than the daemon there is nothing ahead to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread

import structlog

from daemon import assemble
from daemon.admission import pending_at
from daemon.assembly import FileRejected, FrameAccepted, FrameArrived, SliceComplete, as_slice
from daemon.assembly_state import AssemblyState
from daemon.back_pressure import window
from daemon.config import Configuration
from daemon.frame_shelf import FrameShelf
from daemon.intake import read_event
from daemon.items import FileReady, Frame, RegisteredSlice, Slice, Thickness
from daemon.pipeline_state import PipelineState
from daemon.stages.glancing import glance
from daemon.stages.locating import Located, locate, register_first
from daemon.stages.registering import Begun
from daemon.watch import Watcher

_log = structlog.get_logger("slicewatch")
Reading = tuple[FrameArrived | FileRejected, bytes]
_Images = tuple[tuple[int, str, str, Path], ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What the thread has found from ``state``, by the images that it was found from."""

    state: PipelineState | None = None
    readings: dict[FileReady, Reading] = field(default_factory=dict[FileReady, Reading])
    looks: dict[_Images, Thickness | None] = field(default_factory=dict["_Images", "Thickness | None"])
    located: dict[_Images, tuple[float, Located]] = field(
        default_factory=dict["_Images", "tuple[float, Located]"]
    )

    def is_from(self, state: PipelineState) -> bool:
        """Whether the states that matter are those that it was found from."""
        mine = self.state
        return mine is not None and (
            mine.geometry is state.geometry
            and mine.registration is state.registration
            and mine.measuring is state.measuring
        )


class LookAhead:
    """Looks at what ``watcher`` has ready; ``asv_nm`` must be safe to call in any thread."""

    def __init__(
        self,
        configuration: Configuration,
        watcher: Watcher,
        shelf: FrameShelf,
        asv_nm: Callable[[int], float],
        clock: Callable[[], float],
    ) -> None:
        self._configuration = configuration
        self._watcher = watcher
        self._shelf = shelf
        self._asv_nm = asv_nm
        self._clock = clock
        self._found = _Found()
        self._begun: Begun | None = None
        self._thread: Thread | None = None

    def begin(self, assembly: AssemblyState, state: PipelineState) -> None:
        """Look at the next slice, as it follows from these states; what was found before is forgotten."""
        self._settle()
        self._found = _Found(state)
        arguments = (self._found, assembly, state, dict(self._shelf.frames))
        self._thread = Thread(target=self._look, args=arguments, name="look-ahead", daemon=True)
        self._thread.start()

    def read(self, ready: FileReady) -> Reading:
        """The event of a file and its bytes, as :func:`daemon.intake.read_event` gives them.

        Raises
        ------
        FileAwayError
            It cannot be reached now.
        """
        self._settle()
        found = self._found.readings.pop(ready, None)
        return found or read_event(ready, self._shelf.pattern, self._shelf.sidecar)

    def glance(self, state: PipelineState, index: int, channel: str, frame: Frame) -> Thickness | None:
        """As :func:`daemon.stages.glancing.glance` gives it."""
        self._settle()
        images = _images(index, {channel: frame})
        if self._found.is_from(state) and images in self._found.looks:
            return self._found.looks[images]
        return glance(self._configuration, state, index, channel, frame)

    def register_first(self, state: PipelineState, index: int, frames: Mapping[str, Frame]) -> None:
        """Register what there is of a slice, so that less is left to do when it is complete.

        Raises
        ------
        ConfigurationError
            An image is unlike the first.
        """
        self._begun = register_first(self._configuration, state, index, frames, self._begun)

    def locate(self, state: PipelineState, slice_: Slice) -> Located:
        """As :func:`daemon.stages.locating.locate` gives it.

        Raises
        ------
        ConfigurationError
            A fiducial lies outside the first image, or an image is unlike the first.
        """
        self._settle()
        asv_nm = self._asv_nm(slice_.index)
        found = self._found.located.get(_images(slice_.index, slice_.frames))
        if found is not None and self._found.is_from(state) and repr(found[0]) == repr(asv_nm):  # NaN is NaN
            return found[1]
        begun, self._begun = self._begun, None
        return locate(self._configuration, state, slice_, asv_nm, begun)

    def coming(self) -> Callable[[], RegisteredSlice | None]:
        """What waits, in any thread, for what is under way, and gives the slice that was found, if any."""
        return partial(_slice_in, self._found, self._thread)

    def _settle(self) -> None:
        """What is under way is what the loop would have to do now: wait for it."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _look(
        self, found: _Found, assembly: AssemblyState, state: PipelineState, frames: dict[str, Frame]
    ) -> None:
        try:
            for ready in self._watcher.peek(2 * len(assembly.rules.channels), window(assembly)):
                reading = read_event(ready, self._shelf.pattern, self._shelf.sidecar)
                found.readings[ready] = reading
                if isinstance(reading[0], FrameArrived):
                    frames[reading[0].frame.sha256] = reading[0].frame
                assembly, outcomes = assemble.step(assembly, reading[0], self._clock())
                for outcome in outcomes:
                    if isinstance(outcome, FrameAccepted):
                        self._look_first(found, assembly, state, frames[outcome.sha256], outcome)
                    elif isinstance(outcome, SliceComplete):
                        self._look_whole(found, state, as_slice(outcome, assembly.rules, frames))
                        return
        except Exception:
            # Whatever it is, the loop comes to it in its turn, and decides what it means.
            _log.debug("look_ahead.failed", exc_info=True)

    def _look_first(
        self,
        found: _Found,
        assembly: AssemblyState,
        state: PipelineState,
        frame: Frame,
        accepted: FrameAccepted,
    ) -> None:
        waiting = pending_at(assembly, accepted.index)
        if waiting is not None and len(waiting.frames) == 1:
            look = glance(self._configuration, state, accepted.index, accepted.channel, frame)
            found.looks[_images(accepted.index, {accepted.channel: frame})] = look

    def _look_whole(self, found: _Found, state: PipelineState, slice_: Slice) -> None:
        asv_nm = self._asv_nm(slice_.index)
        located = locate(self._configuration, state, slice_, asv_nm)
        found.located[_images(slice_.index, slice_.frames)] = asv_nm, located


def _slice_in(found: _Found, thread: Thread | None) -> RegisteredSlice | None:
    if thread is not None:
        thread.join()
    return next((located.registered for _asv_nm, located in found.located.values()), None)


def _images(index: int, frames: Mapping[str, Frame]) -> _Images:
    """Which images a result was found from."""
    return tuple((index, name, frame.sha256, frame.path) for name, frame in frames.items())
