"""What the daemon says of the volume's figures (DESIGN §7)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from daemon.items import PlaneKind
from daemon.message import NAN, Message


class MetricsMessage(Message, frozen=True, kw_only=True):
    """The volume's figures after ``plane``, as in ``daemon.items.Metrics``.

    Arrays, where given: correlation curves and their standard errors against ``lag_nm``, ``ligament_share``
    against ``ligament_nm``, shares of chords along x, y, z against ``chord_nm``.
    """

    topic: ClassVar[str] = "metrics"
    plane: int
    solid_fraction: float = NAN
    e_tpcf: float = NAN
    e_lpf: float = NAN
    e_d: float = NAN
    d_xy_nm: float = NAN
    d_xz_nm: float = NAN
    d_yz_nm: float = NAN
    kind: PlaneKind = PlaneKind.MEASURED
    solid_fraction_sigma: float = NAN
    e_tpcf_sigma: float = NAN
    e_lpf_sigma: float = NAN
    e_d_sigma: float = NAN
    ligament_nm: float = NAN
    ligament_sigma_nm: float = NAN
    local_thickness_nm: float = NAN
    surface_per_um: float = NAN
    euler_per_um3: float = NAN
    largest_share: float = NAN
    chord_x_nm: float = NAN
    chord_y_nm: float = NAN
    chord_z_nm: float = NAN
    representative: str = ""
    patches: int = 0
    patch_solid_fraction: float = NAN
    patch_solid_fraction_low: float = NAN
    patch_solid_fraction_high: float = NAN
    patch_e_tpcf: float = NAN
    patch_e_tpcf_low: float = NAN
    patch_e_tpcf_high: float = NAN
    patch_e_lpf: float = NAN
    patch_e_lpf_low: float = NAN
    patch_e_lpf_high: float = NAN
    patch_e_d: float = NAN
    patch_e_d_low: float = NAN
    patch_e_d_high: float = NAN
    band_sigmas: float = NAN
    phase_fractions: str = ""

    @property
    def key(self) -> Hashable:
        """The plane."""
        return self.plane
