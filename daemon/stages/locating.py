"""Where a slice lies: its images registered onto the first, its face at a depth."""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.fiducials import RegistrationState
from daemon.config import Configuration
from daemon.geometry import conformed_slice
from daemon.items import RegisteredSlice, Slice, Thickness
from daemon.pipeline_state import PipelineState
from daemon.stages import measuring, registering
from daemon.stages.measuring import MeasuringState


@dataclass(frozen=True, slots=True)
class Located:
    """A slice in its place, and the states that follow from it."""

    registration: RegistrationState
    measuring: MeasuringState
    registered: RegisteredSlice
    thickness: Thickness


def locate(configuration: Configuration, state: PipelineState, slice_: Slice, asv_nm: float) -> Located:
    """Register the images and read the face's depth; marks on the surface need the depth in turn.

    ``asv_nm`` is the acquisition software's own thickness, NaN where it gives none. Of ``state`` only the
    geometry, the registration and the measuring matter.

    Raises
    ------
    ConfigurationError
        A fiducial lies outside the first image, or an image is unlike the first.
    """
    slice_ = conformed_slice(configuration, state.geometry, slice_)
    recession = state.geometry.recession_px_per_nm
    expected_px = measuring.expected_depth(state.measuring, slice_.index) * recession
    registration, registered = registering.register_slice(state.registration, slice_, expected_px)
    measured, thickness = measuring.measure(state.measuring, configuration, registered, asv_nm)
    if registering.has_surface_marks(registration):
        registration, registered = registering.register_slice(
            state.registration, slice_, thickness.depth_nm * recession
        )
    return Located(registration, measured, registered, thickness)
