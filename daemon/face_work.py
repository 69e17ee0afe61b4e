"""From a registered face to the volume: provisional, final when its neighbours have come, then counted.

The second half of the way of one slice; :mod:`daemon.runner` has the first, and owns the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from daemon.items import Alarm, DomainStanding, Planes, RegisteredSlice, Status, Thickness
from daemon.network_ahead import NetworkAhead
from daemon.parts import Parts
from daemon.pipeline_state import OpenFace, PipelineState
from daemon.stages import foreseeing, growing, segmenting
from daemon.stages.recognising import recognise
from daemon.stages.segmenting import FaceStack
from daemon.stopwatch import Stopwatch


class FaceWork:
    """Works on the faces at hand, ``faces`` those of an earlier start; ``alarm`` tells what is wrong, and
    ``coming`` gives what waits for the next slice, as :meth:`daemon.look_ahead.LookAhead.coming` does."""

    def __init__(
        self,
        parts: Parts,
        faces: Mapping[int, FaceStack],
        alarm: Callable[[Alarm], object],
        stopwatch: Stopwatch,
        coming: Callable[[], Callable[[], RegisteredSlice | None]],
    ) -> None:
        self._configuration = parts.configuration
        self._network = NetworkAhead(parts.configuration, parts.segmenter)
        self._coming = coming
        self._is_shown = parts.follow
        self._segmenter = parts.segmenter
        self._known = parts.known
        self._filling = parts.filling
        self._outlet = parts.outlet
        self._alarm = alarm
        self._stopwatch = stopwatch
        self._faces: dict[int, FaceStack] = dict(faces)
        self._strips: dict[int, foreseeing.Strips] = {}

    def open(self, state: PipelineState, registered: RegisteredSlice, thickness: Thickness) -> PipelineState:
        """Segment the new face with what lies before it, and show it; later faces will make it final."""
        state = self.admit(state, registered, thickness)
        face = self._faces[registered.index]
        probabilities = self._classified(face.index)
        segmented = segmenting.segmented(face.index, probabilities, Status.PROVISIONAL)
        strips = foreseeing.strips(state.growth, face.index, thickness.depth_nm, probabilities)
        self._strips[face.index] = strips
        self._outlet.preview(state.geometry, face, segmented, self._ahead(state))
        self._stopwatch.lap("show")
        return state

    def admit(self, state: PipelineState, registered: RegisteredSlice, thickness: Thickness) -> PipelineState:
        """Let the new face wait until later ones make it final, as nobody is there who would see it before.

        A provisional face is only shown: without it the network has half the work, and outputs are the same.
        """
        seen = self._network.face(registered)
        state, domain = self._recognised(state, seen.aligned)
        face = seen.prepared
        self._faces[face.index] = face
        self._outlet.face(registered, domain)
        opened = OpenFace(face.index, thickness.depth_nm, dict(registered.shifts), domain)
        return replace(state, window=(*state.window, face.index), open_faces=(*state.open_faces, opened))

    def settle(self, state: PipelineState, newest: int) -> PipelineState:
        """Finish every face whose neighbours behind it have come, then forget what nobody looks at.

        Once the network has nothing left to do for this slice it goes on with the next.
        """
        half = self._segmenter.spec.adjacent_slices // 2
        due, waiting = parted(state.open_faces, newest - half)
        for face in due[:-1]:
            state = self._final(state, face, self._classified(face.index))
        probabilities = [self._classified(face.index) for face in due[-1:]]
        self._network.begin(self._coming(), self._faces.values(), partial(self._wanted, waiting))
        for face, found in zip(due[-1:], probabilities, strict=True):
            state = self._final(state, face, found)
        oldest = (state.open_faces[0].index if state.open_faces else newest) - 2 * half
        self._faces = {index: face for index, face in self._faces.items() if index >= oldest}
        return replace(state, window=tuple(index for index in state.window if index >= oldest))

    def close(self, state: PipelineState) -> PipelineState:
        """No more faces will come, so everything that waits becomes final."""
        for face in state.open_faces:
            state = self._final(state, face, self._classified(face.index))
        growth = self._grown(*growing.close_growth(state.growth, self._filling))
        return replace(state, growth=growth, window=())

    def stop(self) -> None:
        """Let the network come to rest."""
        self._network.close()

    def _wanted(self, waiting: Sequence[OpenFace], index: int) -> list[int]:
        """The faces that the network will be asked for when slice ``index`` has come, in order."""
        due, _ = parted(waiting, index - self._segmenter.spec.adjacent_slices // 2)
        shown = [index] if self._is_shown else []
        return shown + [face.index for face in due]

    def _final(
        self, state: PipelineState, face: OpenFace, probabilities: NDArray[np.float32]
    ) -> PipelineState:
        """The final segmentation of a face, its place in the volume, and the planes this completes."""
        segmented = segmenting.segmented(face.index, probabilities, Status.FINAL)
        growth, filling = state.growth, self._filling
        growth, placed, planes = growing.grow(growth, filling, face.index, face.depth_nm, probabilities)
        for alarm in growing.judge_place(growth, placed):
            self._alarm(alarm)
        self._outlet.final_face(state.faces_done, segmented, placed, face)
        self._outlet.face_images(state.faces_done, state.geometry, self._faces[face.index], segmented)
        growth = self._grown(growth, planes)
        open_faces, done = state.open_faces[1:], state.faces_done + 1
        state = replace(state, growth=growth, open_faces=open_faces, faces_done=done)
        if not open_faces or not self._strips:  # nothing newer is shown
            self._outlet.preview(state.geometry, self._faces[face.index], segmented, self._ahead(state))
        self._stopwatch.lap("grow")
        return state

    def _grown(self, growth: growing.GrowthState, final: Iterable[Planes]) -> growing.GrowthState:
        """Store final planes and count them into the metrics, a few at a time: a gap may have hundreds."""
        for planes in final:
            self._outlet.planes(growth.grid, planes)
            growth, metrics = growing.measure_planes(growth, planes)
            self._outlet.metrics(metrics, growing.curves(growth))
        return growth

    def _recognised(
        self, state: PipelineState, aligned: FaceStack
    ) -> tuple[PipelineState, dict[str, DomainStanding]]:
        """Whether the face looks like what the network knows; its noise, which may be taken out, included."""
        names = self._configuration.channel_names
        recognising, domain, raised = recognise(state.recognising, self._known, aligned, names)
        for alarm in raised:
            self._alarm(alarm)
        return replace(state, recognising=recognising), domain

    def _classified(self, index: int) -> NDArray[np.float32]:
        """Phase probabilities of a face from the faces at hand; what went before was to show it."""
        self._stopwatch.lap("show")
        self._outlet.beat()
        probabilities = self._network.classify(list(self._faces.values()), index)
        self._stopwatch.lap("segment")
        return probabilities

    def _ahead(self, state: PipelineState) -> Mapping[str, foreseeing.Labels]:
        """Planes that are not final yet, to be shown below the volume; strips of final faces are over."""
        waiting = [self._strips[one.index] for one in state.open_faces if one.index in self._strips]
        self._strips = {strips.index: strips for strips in waiting}
        return foreseeing.foreseen(state.growth, self._filling, waiting)


def parted(faces: Sequence[OpenFace], until: int) -> tuple[Sequence[OpenFace], Sequence[OpenFace]]:
    """Faces up to an index, and those after it."""
    count = sum(face.index <= until for face in faces)
    return faces[:count], faces[count:]
