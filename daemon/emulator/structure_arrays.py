"""A sample's structure as named arrays, and back: what a truth file holds of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from algorithms.electrode import ElectrodeStructure
from algorithms.sphere_packing import Packing
from algorithms.structures import HierarchicalStructure, WaveField
from daemon.emulator.sample import Sample

Arrays = Mapping[str, NDArray[np.generic]]
_GOLD = ("coarse", "fine")
_ELECTRODE = ("pores", "strands", "grains", "film")


def structure_arrays(sample: Sample) -> dict[str, NDArray[np.generic]]:
    """Everything that makes up a structure, by name."""
    names = _ELECTRODE if isinstance(sample, ElectrodeStructure) else _GOLD
    fields: list[WaveField] = [getattr(sample, name) for name in names]
    arrays: dict[str, NDArray[np.generic]] = {
        name: field.values for name, field in zip(names, fields, strict=True)
    }
    arrays["spacings_nm"] = np.array([field.spacing_nm for field in fields])
    if isinstance(sample, ElectrodeStructure):
        packing = sample.particles
        cuts = (sample.pore_cut, sample.strand_cut, sample.film_cut)
        waves_nm = (sample.pore_wave_nm, sample.strand_wave_nm)
        return arrays | {
            "thresholds": np.array(cuts),
            "waves_nm": np.array(waves_nm),
            "centres_nm": packing.centres,
            "radii_nm": packing.radii,
            "box_nm": packing.box,
        }
    return arrays | {"thresholds": np.array([sample.coarse_threshold, sample.fine_threshold])}


def structure_of(arrays: Arrays) -> Sample:
    """The structure that :func:`structure_arrays` took apart; ValueError, KeyError where one is no such."""
    if "coarse" in arrays:
        coarse, fine = _fields(arrays, _GOLD)
        coarse_cut, fine_cut = _floats(arrays, "thresholds")
        return HierarchicalStructure(coarse, fine, float(coarse_cut), float(fine_cut))
    pores, strands, grains, film = _fields(arrays, _ELECTRODE)
    cuts, waves_nm = _floats(arrays, "thresholds"), _floats(arrays, "waves_nm")
    centres, radii, box = (_floats(arrays, name) for name in ("centres_nm", "radii_nm", "box_nm"))
    if centres.shape != (len(radii), 3) or box.shape != (3,):
        raise ValueError(f"centres of {centres.shape} for {len(radii)} radii")
    return ElectrodeStructure(
        Packing(centres, radii, box), pores, strands, grains, film,
        float(cuts[0]), float(cuts[1]), float(cuts[2]), float(waves_nm[0]), float(waves_nm[1]),
    )  # fmt: skip


def _fields(arrays: Arrays, names: Sequence[str]) -> list[WaveField]:
    fields: list[WaveField] = []
    for name, spacing_nm in zip(names, _floats(arrays, "spacings_nm"), strict=True):
        values = np.asarray(arrays[name], dtype=np.float32)
        if values.ndim != 3 or len(set(values.shape)) != 1:
            raise ValueError(f"the {name} field has the shape {values.shape} and is no cube")
        fields.append(WaveField(values, float(spacing_nm)))
    return fields


def _floats(arrays: Arrays, name: str) -> NDArray[np.float64]:
    return np.asarray(arrays[name], dtype=np.float64)
