"""How the pixels of a run relate to nanometres on the face (DESIGN §3, SCIENCE §1).

Columns are one pixel size apart. Rows are ``pixel size / sin(tilt)`` apart on the face, because the electron
beam looks at it under the tilt; tilt correction stretches them back to one pixel size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from algorithms.resampling import NativePixels
from algorithms.row_resampling import resample_rows
from daemon.config import Configuration, GeometrySection
from daemon.errors import ConfigurationError
from daemon.items import Frame, Slice


@dataclass(frozen=True, slots=True)
class FaceGeometry:
    """Pixel steps on the face in nm, and how far the face climbs in the image per nm of depth.

    ``recession_px_per_nm``: between a mark on the unmilled top and the face (SCIENCE §1: d·cos(tilt) of
    image y, in px of this scan).
    """

    pixel_x_nm: float
    pixel_y_nm: float
    recession_px_per_nm: float

    @property
    def pixels(self) -> NativePixels:
        """The pixel steps as the volume wants them; faces arrive already moved into the reference frame."""
        return NativePixels(self.pixel_y_nm, self.pixel_x_nm)


def face_geometry(configuration: Configuration, frame: Frame) -> FaceGeometry:
    """The geometry of an image from the configuration, or from its metadata where that says so.

    Raises
    ------
    ConfigurationError
        Neither the configuration nor the metadata knows the pixel size.
    """
    section = configuration.geometry
    pixel_nm = section.pixel_size_nm
    if pixel_nm == "metadata":
        pixel_nm = frame.metadata.pixel_size_nm
    if pixel_nm is None:
        raise ConfigurationError(
            "the pixel size is not known: the image has none in its metadata",
            where=str(frame.path),
            remedy="Set geometry.pixel_size_nm, or sidecar.pixel_size_nm, in nm.",
        )
    return _geometry(float(pixel_nm), section, corrected=_is_corrected(section, frame))


def conformed(configuration: Configuration, geometry: FaceGeometry, frame: Frame) -> Frame:
    """The image with the run's row step: its rows are resampled when tilt correction has changed.

    An image that does not say whether it was corrected is taken to be like the first.
    """
    section = configuration.geometry
    if section.tilt_correction == "metadata" and frame.metadata.tilt_correction is None:
        return frame
    own = 1.0 if _is_corrected(section, frame) else 1.0 / math.sin(math.radians(section.tilt_deg))
    step = geometry.pixel_y_nm / geometry.pixel_x_nm / own
    if math.isclose(step, 1.0, rel_tol=1e-9):
        return frame
    note = f"tilt correction is {'on' if own == 1.0 else 'off'}, unlike in the first slice: rows resampled"
    return replace(frame, image=resample_rows(frame.image, step), notes=(*frame.notes, note))


def conformed_slice(configuration: Configuration, geometry: FaceGeometry, slice_: Slice) -> Slice:
    """The slice with the first one's row step, whatever tilt correction has done since."""
    frames = {name: conformed(configuration, geometry, frame) for name, frame in slice_.frames.items()}
    return replace(slice_, frames=frames)


def _is_corrected(section: GeometrySection, frame: Frame) -> bool:
    if section.tilt_correction == "metadata":
        return bool(frame.metadata.tilt_correction)
    return section.tilt_correction


def _geometry(pixel_nm: float, section: GeometrySection, *, corrected: bool) -> FaceGeometry:
    tilt = math.radians(section.tilt_deg)
    stretch = math.sin(tilt)
    return FaceGeometry(
        pixel_x_nm=pixel_nm,
        pixel_y_nm=pixel_nm if corrected else pixel_nm / stretch,
        recession_px_per_nm=math.cos(tilt) / pixel_nm / (stretch if corrected else 1.0),
    )
