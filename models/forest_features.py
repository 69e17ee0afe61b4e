"""What a forest is given instead of pixels: named sets of features of a window of slices.

A set turns a window (channel, slice, y, x), on the scale of :mod:`models.normalisation`, into the features of
its middle slice, one after the other. Two channels give three signals: the first, the second, and their
difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms import filter_bank, pixel_history
from algorithms.filter_bank import FeatureName

Floats = NDArray[np.floating]
ADJACENT_SLICES = 2 * pixel_history.HALF + 1
"""All sets look at one window, so that forests compare."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """``names`` of the features for channels of these names, ``of_signal`` gives those of one signal's
    window, ``reach_px`` how far they look, ``signals`` how many channels are looked at."""

    names: Callable[[str], list[FeatureName]]
    of_signal: Callable[[Floats], Iterator[Floats]]
    reach_px: int
    channels: int


def _with_grey(window: Floats) -> Iterator[Floats]:
    yield window[len(window) // 2]
    yield from filter_bank.filter_features(window)


def _grey_names(signal: str) -> list[FeatureName]:
    return [FeatureName(signal, "grey", "1 px"), *filter_bank.filter_names(signal)]


FEATURE_SETS: Mapping[str, FeatureSet] = {
    "one-signal": FeatureSet(filter_bank.filter_names, filter_bank.filter_features, filter_bank.REACH_PX, 1),
    "two-signals": FeatureSet(_grey_names, _with_grey, filter_bank.REACH_PX, 2),
    "tailored": FeatureSet(
        pixel_history.history_names, pixel_history.history_features, pixel_history.REACH_PX, 2
    ),
}
STRIDE_PX = filter_bank.COARSEST


def feature_names(features: str, channels: Sequence[str]) -> list[FeatureName]:
    """What the features of a set are, in order."""
    chosen = FEATURE_SETS[features]
    signals = list(channels[: chosen.channels])
    if chosen.channels == 2:
        signals.append(f"{channels[0]} - {channels[1]}")
    return [name for signal in signals for name in chosen.names(signal)]


def window_features(features: str, window: Floats, threads: int = 1) -> list[Floats]:
    """The features of a window (channel, slice, y, x) of sides in whole STRIDE_PX: float32 (y, x) each."""
    chosen = FEATURE_SETS[features]
    signals = [np.ascontiguousarray(window[channel]) for channel in range(chosen.channels)]
    if chosen.channels == 2:
        signals.append(signals[0] - signals[1])

    def features_of(signal: Floats) -> list[Floats]:
        return list(chosen.of_signal(signal))

    with ThreadPoolExecutor(threads) as pool:  # the filters leave the interpreter's lock to others
        return [one for many in pool.map(features_of, signals) for one in many]


def as_table(features: Sequence[Floats]) -> Floats:
    """A row per pixel, in the order of the image's rows: float32 (pixels, features)."""
    table = np.empty((features[0].size, len(features)), dtype=np.float32)
    for column, feature in enumerate(features):
        table[:, column] = feature.ravel()
    return table
