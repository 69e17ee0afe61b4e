"""Verdict on whether a face looks like what the network knows; it says so before the labels show it.

A network labels whatever it is given, and never says that it has not seen the like. So the figures of every
image are compared with those of known ones (:mod:`algorithms.image_domain`). The alarm tells a person and
never stops a run. Networks that come without known images are not judged.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from algorithms.image_domain import domain_distance
from daemon.config import Configuration
from daemon.items import Alarm, DomainStanding, Image
from daemon.stages.segmenting import FaceStack, model_paths
from models.domain import ChannelDomain, domain_path, figures_of, read_domain

IN_A_ROW: Final = 3
"""Slices outside in a row: a single odd image is not a state of the instrument."""
RELEASE: Final = 0.8
"""The alarm ends when every channel is back within this part of its limit."""
KIND: Final = "model outside its domain"
REMEDY: Final = (
    "Labels may be wrong however certain they look: compare them with the images. Check focus, detector, "
    "dwell and voltage. If the images are meant to be so, adapt a copy of the network to this acquisition "
    "(`slicewatch adapt`), or refine it on annotated slices (`slicewatch train late-fusion --config`), and "
    "reprocess the run with it."
)


@dataclass(frozen=True, slots=True)
class RecognisingState:
    """For how many slices in a row each channel has been outside; whether that has been told."""

    outside: Mapping[str, int] = field(default_factory=dict[str, int])
    alarm: bool = False


def known_domains(configuration: Configuration) -> dict[str, ChannelDomain]:
    """What the configured network knows, by channel; empty if nobody has learned it.

    Raises
    ------
    ModelError
        The file beside the network is damaged, or belongs to another network.
    """
    domains = [domain for path in model_paths(configuration) for domain in read_domain(path)]
    names = configuration.channel_names
    return dict(zip(names, domains, strict=True)) if len(domains) == len(names) else {}


def domains_sha256(configuration: Configuration) -> str:
    """Of the files that say what the configured network knows; empty if there is none."""
    paths = [domain_path(path) for path in model_paths(configuration)]
    found = [path.read_bytes() for path in paths if path.is_file()]
    return hashlib.sha256(b"".join(found)).hexdigest() if found else ""


def recognise(
    state: RecognisingState, known: Mapping[str, ChannelDomain], face: FaceStack, channels: tuple[str, ...]
) -> tuple[RecognisingState, dict[str, DomainStanding], tuple[Alarm, ...]]:
    """Compare a face with what is known; where each channel stands, and the alarm that this newly raises."""
    standings = {
        name: _standing(known[name], image)
        for name, image in zip(channels, face.images, strict=True)
        if name in known
    }
    outside = {name: _in_a_row(state.outside.get(name, 0), one) for name, one in standings.items()}
    begins = not state.alarm and any(count >= IN_A_ROW for count in outside.values())
    held = state.alarm and not all(one.distance <= RELEASE * one.limit for one in standings.values())
    alarms = (_alarm(face.index, standings),) if begins else ()
    return replace(state, outside=outside, alarm=begins or held), standings, alarms


def _in_a_row(before: int, standing: DomainStanding) -> int:
    """Slices outside in a row; an image that says nothing (NaN) changes nothing."""
    if math.isnan(standing.distance):
        return before
    return before + 1 if standing.distance > standing.limit else 0


def _standing(known: ChannelDomain, image: Image) -> DomainStanding:
    return DomainStanding(domain_distance(known.domain, figures_of(image, known.normalisation)), known.limit)


def _alarm(index: int, standings: Mapping[str, DomainStanding]) -> Alarm:
    """Of the channel that is farthest outside, and all the others' figures."""
    name, worst = max(standings.items(), key=lambda item: _ratio(item[1]))
    return Alarm(
        KIND,
        index,
        f"the images of {name} are unlike those that the network knows: distance {worst.distance:.1f}, limit "
        f"{worst.limit:.1f}",
        measurement=worst.distance,
        limit=worst.limit,
        evidence={f"distance {channel}": one.distance for channel, one in standings.items()},
        remedy=REMEDY,
    )


def _ratio(standing: DomainStanding) -> float:
    return -math.inf if math.isnan(standing.distance) else standing.distance / standing.limit
