"""Where a slice lies: its images registered onto the first, its face at a depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from algorithms.fiducials import RegistrationState
from daemon.config import Configuration
from daemon.geometry import conformed, conformed_slice
from daemon.items import Frame, RegisteredSlice, Slice, Thickness
from daemon.pipeline_state import PipelineState
from daemon.stages import measuring, registering
from daemon.stages.measuring import MeasuringState
from daemon.stages.registering import Begun


@dataclass(frozen=True, slots=True)
class Located:
    """A slice in its place, and the states that follow from it."""

    registration: RegistrationState
    measuring: MeasuringState
    registered: RegisteredSlice
    thickness: Thickness


def register_first(
    configuration: Configuration,
    state: PipelineState,
    index: int,
    frames: Mapping[str, Frame],
    begun: Begun | None,
) -> Begun:
    """Register what there is of slice ``index`` while the microscope takes its other images.

    ``begun`` is what was done of it already, if anything.

    Raises
    ------
    ConfigurationError
        An image is unlike the first.
    """
    frames = {name: conformed(configuration, state.geometry, frame) for name, frame in frames.items()}
    return registering.register_first(state.registration, frames, _expected_px(state, index), begun)


def locate(
    configuration: Configuration,
    state: PipelineState,
    slice_: Slice,
    asv_nm: float,
    begun: Begun | None = None,
) -> Located:
    """Register the images and read the face's depth; marks on the surface need the depth in turn.

    ``asv_nm`` is the acquisition software's own thickness, NaN where it gives none; ``begun`` changes only
    how long it takes. Of ``state`` only the geometry, the registration and the measuring matter.

    Raises
    ------
    ConfigurationError
        A fiducial lies outside the first image, or an image is unlike the first.
    """
    slice_ = conformed_slice(configuration, state.geometry, slice_)
    expected_px = _expected_px(state, slice_.index)
    registration, registered = registering.register_slice(state.registration, slice_, expected_px, begun)
    measured, thickness = measuring.measure(state.measuring, configuration, registered, asv_nm)
    if registering.has_surface_marks(registration):
        registration, registered = registering.register_slice(
            state.registration, slice_, thickness.depth_nm * state.geometry.recession_px_per_nm
        )
    return Located(registration, measured, registered, thickness)


def _expected_px(state: PipelineState, index: int) -> float:
    """How far the face has climbed in the image since the first slice, if milling goes on as it did."""
    return measuring.expected_depth(state.measuring, index) * state.geometry.recession_px_per_nm
