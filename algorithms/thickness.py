"""From depths to thickness: every source that says something, the best one chosen, its error known.

Four sources, each a :class:`Estimate` or absent: ``ruler`` (difference of two absolute depths), ``asv``
(what the acquisition software reports), ``similarity`` (of consecutive images), ``target`` (what was asked
for). Their errors are not believed but *learned*: whenever the ruler measures a slice, every other source is
compared with it, and its bias and scatter are what it is trusted with when the ruler is silent.

Depth is absolute while the ruler is readable. Across unreadable slices it is carried forward by the best
other source with growing error, and the next reading puts it right again. What was milled between two
readings that are not those of neighbours is known as a whole only: the thickness is then the *mean* of that
many slices, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from algorithms.ruler import DepthReading

Source: TypeAlias = Literal["ruler", "asv", "similarity", "target"]

# Relative error of a source before it has been compared with a ruler. Target: σ of the published run, 3.12
# of 10.16 nm. The acquisition software's values were worse than assuming the target (Sardhara et al., §3.3).
_UNTESTED: dict[Source, float] = {"ruler": 1.0, "similarity": 0.25, "target": 0.31, "asv": 0.5}
_BELIEF = 5.0  # comparisons that the untested error is worth


@dataclass(frozen=True, slots=True)
class Estimate:
    """A thickness from one source; ``sigma_nm`` NaN when the source does not know its error."""

    source: Source
    thickness_nm: float
    sigma_nm: float = float("nan")


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A source compared with the ruler: slices, mean difference (source - ruler, nm), sum of squares."""

    source: Source
    count: int = 0
    bias_nm: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True, slots=True)
class ThicknessState:
    """Where the last face lies, and what the sources are worth.

    ``ruler_depth_nm`` is the last readable ruler depth, ``unmeasured`` how many slices were milled since;
    ``offset_*`` the depth of the ruler's own zero, which is not 0 when the ruler could not be read on the
    first slice.
    """

    target_nm: float
    depth_nm: float = 0.0
    depth_sigma_nm: float = 0.0
    ruler_depth_nm: float = float("nan")
    offset_nm: float = 0.0
    offset_sigma_nm: float = 0.0
    unmeasured: int = 0
    slices: int = 0
    records: tuple[SourceRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Thickness:
    """One slice: depth of its face and what was milled since the one before (NaN for the first slice).

    The thickness is the mean of ``mean_of_slices``: of one, as long as nothing was lost. ``estimates`` are
    all sources as given, ``expected`` the same after their learned bias is taken off, with their learned
    errors, best first.
    """

    depth_nm: float
    depth_sigma_nm: float
    thickness_nm: float
    thickness_sigma_nm: float
    source: Source
    estimates: tuple[Estimate, ...]
    expected: tuple[Estimate, ...]
    notes: tuple[str, ...]
    mean_of_slices: int = 1


def start_thickness(target_nm: float) -> ThicknessState:
    """No slice yet. Raises ValueError unless the target thickness is above 0."""
    if not target_nm > 0.0:
        raise ValueError(f"geometry.target_thickness_nm is {target_nm}: give the thickness asked for, in nm")
    return ThicknessState(target_nm)


def measure_thickness(
    state: ThicknessState,
    reading: DepthReading | None,
    others: tuple[Estimate, ...] = (),
    slices_apart: int = 1,
) -> tuple[ThicknessState, Thickness]:
    """One slice's thickness from its ruler reading (None: no ruler) and the other sources.

    ``slices_apart`` > 1 after lost slices: thickness is then the mean of that many. Asking twice from the
    same state (first image, then the triple) is how a verdict is refined.
    """
    if state.slices == 0:
        return _first(state, reading)
    others = (*others, Estimate("target", state.target_nm))
    expected = tuple(sorted((_expect(state, item) for item in others), key=lambda item: item.sigma_nm))
    if reading is None or not reading.readable:
        return _carry(state, others, expected, slices_apart)
    if not np.isfinite(state.ruler_depth_nm):
        return _join(state, reading, others, expected, slices_apart)
    return _measure(state, reading, others, expected, slices_apart)


def _first(state: ThicknessState, reading: DepthReading | None) -> tuple[ThicknessState, Thickness]:
    readable = reading is not None and reading.readable
    depth = reading.depth_nm if reading and readable else float("nan")
    nan = float("nan")
    source: Source = "ruler" if readable else "target"
    record = Thickness(0.0, 0.0, nan, nan, source, (), (), ("the first face: depth 0 by definition",))
    return replace(state, slices=1, ruler_depth_nm=depth), record


def _join(
    state: ThicknessState,
    reading: DepthReading,
    others: tuple[Estimate, ...],
    expected: tuple[Estimate, ...],
    apart: int,
) -> tuple[ThicknessState, Thickness]:
    """The ruler is read for the first time, but not on the first slice: its zero is where this face lies."""
    after, record = _carry(state, others, expected, apart)
    joined = replace(
        after,
        ruler_depth_nm=reading.depth_nm,
        offset_nm=record.depth_nm - reading.depth_nm,
        offset_sigma_nm=record.depth_sigma_nm,
        unmeasured=0,
    )
    return joined, record


def _measure(
    state: ThicknessState,
    reading: DepthReading,
    others: tuple[Estimate, ...],
    expected: tuple[Estimate, ...],
    apart: int,
) -> tuple[ThicknessState, Thickness]:
    """The ruler speaks: against its own last depth, over as many slices as were milled since."""
    milled = state.unmeasured + apart
    depth = state.offset_nm + reading.depth_nm
    ruler = Estimate(
        "ruler",
        (reading.depth_nm - state.ruler_depth_nm) / milled,
        reading.step_sigma_nm / milled,
    )
    learned = tuple(_compare(_record(state, o.source), o, ruler) for o in others) if milled == 1 else ()
    after = replace(
        state,
        depth_nm=depth,
        depth_sigma_nm=float(np.hypot(reading.depth_sigma_nm, state.offset_sigma_nm)),
        ruler_depth_nm=reading.depth_nm,
        unmeasured=0,
        slices=state.slices + 1,
        records=_merged(state.records, learned),
    )
    notes = () if milled == 1 else (f"mean of the {milled} slices since the ruler was last read",)
    record = Thickness(
        depth, after.depth_sigma_nm, ruler.thickness_nm, ruler.sigma_nm, "ruler",
        (ruler, *others), (ruler, *expected), notes, milled,
    )  # fmt: skip
    return after, record


def _carry(
    state: ThicknessState, others: tuple[Estimate, ...], expected: tuple[Estimate, ...], apart: int
) -> tuple[ThicknessState, Thickness]:
    """The ruler is silent: the source with the smallest learned error carries the depth on.

    Milling takes material away: a source that says otherwise, its bias taken off, is not the best.
    """
    possible = (item for item in expected if item.thickness_nm > 0.0)
    best = next(possible, Estimate("target", state.target_nm, _UNTESTED["target"] * state.target_nm))
    depth = state.depth_nm + apart * best.thickness_nm
    sigma = float(np.hypot(state.depth_sigma_nm, apart**0.5 * best.sigma_nm))
    note = "assumed, not measured" if best.source == "target" else f"from {best.source}, without a ruler"
    record = Thickness(
        depth, sigma, best.thickness_nm, best.sigma_nm, best.source, others, expected, (note,), apart
    )
    after = replace(
        state,
        depth_nm=depth,
        depth_sigma_nm=sigma,
        unmeasured=state.unmeasured + apart,
        slices=state.slices + 1,
    )
    return after, record


def join_ruler(state: ThicknessState) -> ThicknessState:
    """A ruler of new marks begins on the last face, at the depth carried to it; later ones count from it."""
    depth = state.depth_nm - state.offset_nm
    return replace(state, ruler_depth_nm=depth, unmeasured=0)


def _record(state: ThicknessState, source: Source) -> SourceRecord:
    return next((record for record in state.records if record.source == source), SourceRecord(source))


def _expect(state: ThicknessState, estimate: Estimate) -> Estimate:
    """The estimate with its learned bias taken off and its learned error: what to believe of it.

    Before any comparison a source's own error counts, or failing that the published experience.
    """
    record = _record(state, estimate.source)
    prior = _UNTESTED[estimate.source] * state.target_nm
    own = estimate.sigma_nm if np.isfinite(estimate.sigma_nm) else prior
    trust = record.count / (record.count + _BELIEF)
    variance = (_BELIEF * own**2 + record.squares) / (_BELIEF + record.count)
    return Estimate(estimate.source, estimate.thickness_nm - trust * record.bias_nm, float(np.sqrt(variance)))


def _compare(record: SourceRecord, estimate: Estimate, ruler: Estimate) -> SourceRecord:
    difference = estimate.thickness_nm - ruler.thickness_nm
    count = record.count + 1
    bias = record.bias_nm + (difference - record.bias_nm) / count
    squares = record.squares + (difference - record.bias_nm) * (difference - bias)
    return SourceRecord(record.source, count, bias, squares)


def _merged(old: tuple[SourceRecord, ...], new: tuple[SourceRecord, ...]) -> tuple[SourceRecord, ...]:
    """Each source once, the newer record winning, in a fixed order."""
    latest = {record.source: record for record in (*old, *new)}
    return tuple(latest[source] for source in sorted(latest))
