"""A virtual tomography of an electrode: faces photographed by two detectors at once.

The same artefacts as in every emulated picture (:mod:`algorithms.instrument`): curtains, the shade of the
trench, charge behind bright regions, noise; and redeposited material, as a film on the face's lower part and
in the pores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from algorithms.acquisition import FaceGrid, run_conditions
from algorithms.electrode import ElectrodeStructure
from algorithms.instrument import Instrument, curtain_profiles, expose
from algorithms.redeposition import redeposited
from algorithms.topography import ANGLED_SE2, IN_LENS, Relief, SignalDetector, relief_signal, reliefs_upwards

DETECTORS: Mapping[str, SignalDetector] = {one.name: one for one in (ANGLED_SE2, IN_LENS)}
INSTRUMENTS: Mapping[str, Instrument] = {
    "SE2": Instrument(
        dose_electrons=800.0,
        gain=2.0,
        offset=0.03,
        beam_sigma_px=0.5,
        curtaining=0.04,
        shading=0.10,
        charging=0.04,
    ),
    "InLens": Instrument(
        dose_electrons=500.0,
        gain=1.4,
        offset=0.04,
        pixel_noise=0.015,
        beam_sigma_px=0.5,
        curtaining=0.05,
        shading=0.08,
        charging=0.06,
    ),
}
"""How each detector records; curtains, shade and charge are stronger than on infiltrated gold."""
FILM = 0.08
"""Share of the signal at the face's lower edge that comes from redeposited material."""
FILM_WIDTH_PX, FILM_PERSISTENCE_NM = 40.0, 300.0


def detector_signal(relief: Relief, name: str, grid: FaceGrid) -> NDArray[np.float32]:
    """The clean signal of a detector by its name, without the film on the face: float32 (h, w)."""
    return relief_signal(relief, DETECTORS[name], (grid.pixel_y_nm, grid.pixel_x_nm))


def render_electrode(
    structure: ElectrodeStructure,
    depths_nm: NDArray[np.float64],
    grid: FaceGrid,
    rng: np.random.Generator,
    detectors: Sequence[str] = tuple(DETECTORS),
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images uint8 (slice, detector, y, x) and labels uint8 (slice, y, x) of faces at rising depths (n,)."""
    images = np.empty((len(depths_nm), len(detectors), grid.height, grid.width), dtype=np.uint8)
    labels = np.empty((len(depths_nm), grid.height, grid.width), dtype=np.uint8)
    conditions = run_conditions(depths_nm, len(detectors), grid.width, rng)
    films = curtain_profiles(
        depths_nm, grid.width, rng, width_px=FILM_WIDTH_PX, persistence_nm=FILM_PERSISTENCE_NM
    )
    backwards = range(len(depths_nm) - 1, -1, -1)
    for index, relief in zip(backwards, reliefs_upwards(structure, depths_nm, grid), strict=True):
        labels[index] = relief.face
        for channel, name in enumerate(detectors):
            signal = redeposited(detector_signal(relief, name, grid), films[index], FILM)
            images[index, channel] = expose(signal, INSTRUMENTS[name], rng, conditions[index][channel])
    return images, labels
