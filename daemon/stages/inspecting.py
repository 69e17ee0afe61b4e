"""Verdicts on the pictures themselves: focus, contrast, brightness, shine-through, and changed geometry.

Each channel is compared with its own beginning. All these verdicts together keep the mean run length between
false alarms that the configuration asks for (``drift.false_alarm_slices``), as the drift test does. They tell
a person and never stop a run, for a picture out of focus says nothing about the milling.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from algorithms.image_health import ImageHealth, image_health
from algorithms.steadiness import Standing, Steadiness, Tolerance, limit_sigmas, step
from daemon.config import Configuration, Region
from daemon.items import Alarm, Image, RegisteredSlice


@dataclass(frozen=True, slots=True)
class _Watch:
    """One number of every image: what may happen to it, and what to say then.

    ``is_ratio``: judged by its logarithm, so that limits are factors.
    """

    kind: str
    tolerance: Tolerance
    is_ratio: bool
    text: str
    remedy: str


# Scatter: relative standard deviations of in-control emulated runs over 60 slices (2026-11-20; 3–9 %, 3–4 %,
# 3–7 %, 0.014–0.018), rounded up. Tolerances: 0.8 px of additional blur lowers sharpness by 20 %.
_WATCHES: Final[Mapping[str, _Watch]] = {
    "sharpness": _Watch(
        "focus lost",
        Tolerance(down=0.22, up=math.inf, scatter=0.07),
        is_ratio=True,
        text="{channel} is blurred: its sharpness is {value:.3g}, the run's own beginning allows {limit:.3g}",
        remedy="Check focus and astigmatism at the microscope; look at the image.",
    ),
    "contrast": _Watch(
        "contrast lost",
        Tolerance(down=0.29, up=math.inf, scatter=0.05),
        is_ratio=True,
        text="{channel} has lost contrast: {value:.3g} grey values; this run's own limit is {limit:.3g}",
        remedy="Check detector, beam current and contamination; look at the image.",
    ),
    "brightness": _Watch(
        "brightness shifted",
        Tolerance(down=0.3, up=0.3, scatter=0.06),
        is_ratio=True,
        text="the mean grey value of {channel} is {value:.3g}; this run's own limit is {limit:.3g}",
        remedy="Check brightness and contrast of the detector, and charging.",
    ),
    "shine_through": _Watch(
        "shine-through shifted",
        Tolerance(down=0.08, up=0.08, scatter=0.018),
        is_ratio=False,
        text="the mean of {channel} lies at {value:.3g} between dark and bright; the limit is {limit:.3g}",
        remedy="Check voltage and detector; where pores fill with grey, more shines through.",
    ),
}


@dataclass(frozen=True, slots=True)
class InspectingState:
    """How every number of every channel stands, by "channel/number"; whether rows are being resampled."""

    series: Mapping[str, Steadiness]
    resampled: bool = False


def begin_inspecting() -> InspectingState:
    """The state before the first slice."""
    return InspectingState({})


def inspect(
    state: InspectingState, configuration: Configuration, registered: RegisteredSlice
) -> tuple[InspectingState, tuple[Alarm, ...]]:
    """Compare a slice's images with the run's beginning; the alarms that this newly raises."""
    series, alarms, drift = dict(state.series), list[Alarm](), configuration.drift
    sigmas = limit_sigmas(drift.false_alarm_slices * len(_WATCHES) * len(configuration.channels))
    for channel, frame in registered.frames.items():
        health = image_health(_region(frame.image, configuration.geometry.roi))
        for name, watch, value in _numbers(health):
            key = f"{channel}/{name}"
            series[key], standing = step(
                series.get(key, Steadiness()), watch.tolerance, value, drift.warmup_slices, sigmas
            )
            if standing.begins:
                alarms.append(_alarm(watch, channel, registered.index, standing))
    state, geometry = _judge_geometry(replace(state, series=series), registered)
    return state, (*alarms, *geometry)


def _numbers(health: ImageHealth) -> Iterator[tuple[str, _Watch, float]]:
    for name, watch in _WATCHES.items():
        value: float = getattr(health, name)
        if watch.is_ratio:
            value = math.log(value) if value > 0.0 else math.nan
        yield name, watch, value


def _region(image: Image, roi: Region) -> Image:
    """The sample in the image's own frame: drift hardly changes what these numbers see."""
    return image[
        roi.y : roi.y + (roi.height or image.shape[0]), roi.x : roi.x + (roi.width or image.shape[1])
    ]


def _alarm(watch: _Watch, channel: str, index: int, standing: Standing) -> Alarm:
    value, limit, mean = (
        math.exp(number) if watch.is_ratio else number
        for number in (standing.value, standing.limit, standing.mean)
    )
    return Alarm(
        watch.kind,
        index,
        watch.text.format(channel=channel, value=value, limit=limit),
        measurement=value,
        limit=limit,
        evidence={"baseline": mean, "sigmas": standing.sigmas},
        remedy=watch.remedy,
    )


def _judge_geometry(
    state: InspectingState, registered: RegisteredSlice
) -> tuple[InspectingState, tuple[Alarm, ...]]:
    """Told once when rows begin to be resampled, and again if that ends and begins anew."""
    noted = {name: frame.notes for name, frame in registered.frames.items() if frame.notes}
    begins = bool(noted) and not state.resampled
    alarm = Alarm(
        "tilt correction changed",
        registered.index,
        "; ".join(f"{name}: {', '.join(notes)}" for name, notes in noted.items()),
        remedy="Switch it back if this was not meant; rows at the border may be missing from the image.",
    )
    return replace(state, resampled=bool(noted)), (alarm,) if begins else ()
