"""The verdict of a slice's first image: registered and read like any other, minutes before the rest comes."""

from __future__ import annotations

from daemon.config import Configuration
from daemon.geometry import conformed
from daemon.items import Frame, Thickness
from daemon.pipeline_state import PipelineState
from daemon.stages import measuring, registering


def glance(
    configuration: Configuration, state: PipelineState, index: int, channel: str, frame: Frame
) -> Thickness | None:
    """The thickness of slice ``index`` as one image of it tells; None without a readable ruler.

    No state follows from it: the complete slice will be measured anew.
    """
    frame = conformed(configuration, state.geometry, frame)
    expected_px = measuring.expected_depth(state.measuring, index) * state.geometry.recession_px_per_nm
    shift = registering.glance(state.registration, channel, frame, expected_px)
    return measuring.first_look(state.measuring, index, channel, frame, shift)
