"""What the loop is made of, and how it is put together for one attempt at a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from algorithms.slice_filling import Interpolation
from daemon.abort.escalator import Reach, reach_of
from daemon.config import Configuration
from daemon.frame_shelf import FrameShelf
from daemon.inbox import Inbox
from daemon.journal import Journal
from daemon.outlet import Outlet
from daemon.project import read_thickness
from daemon.resume import known_files
from daemon.station import Station
from daemon.surroundings import Surroundings
from daemon.watch import Watcher
from models.domain import ChannelDomain
from models.session import Segmenter


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything of the loop that touches the world.

    ``known`` are the images that the network knows, by channel; ``asv_nm`` gives the acquisition software's
    own thickness of a slice, NaN if it has none; ``clock`` is monotonic, in s; ``follow`` false: the
    acquisition is over, so the run ends when every file has been read.
    """

    configuration: Configuration
    shelf: FrameShelf
    watcher: Watcher
    segmenter: Segmenter
    known: Mapping[str, ChannelDomain]
    filling: Interpolation
    inbox: Inbox
    outlet: Outlet
    surroundings: Surroundings
    reach: Reach
    asv_nm: Callable[[int], float]
    clock: Callable[[], float]
    follow: bool


def parts_of(station: Station, shelf: FrameShelf) -> Parts:
    """The parts for one attempt; the watcher is not started yet."""
    configuration = station.configuration
    return Parts(
        configuration=configuration,
        shelf=shelf,
        watcher=_watcher(configuration, station.journal),
        segmenter=station.segmenter,
        known=station.known,
        filling=station.filling.interpolation,
        inbox=station.inbox,
        outlet=Outlet(station),
        surroundings=Surroundings(
            station.outputs.folder,
            station.expected_slices,
            len(configuration.channels),
            configuration.run.quiet_after_s,
            station.clock,
        ),
        reach=reach_of(station),
        asv_nm=_asv_reader(configuration.run.folder),
        clock=station.clock,
        follow=station.follow,
    )


def _watcher(configuration: Configuration, journal: Journal) -> Watcher:
    section = configuration.run
    return Watcher(
        section.folder,
        section.file_pattern,
        observer=section.observer,
        scan_interval_s=section.scan_interval_s,
        sentinel=section.sentinel,
        stall_s=section.stalled_after_s,
        known=known_files(journal),
    )


def _asv_reader(folder: Path) -> Callable[[int], float]:
    """The acquisition software's own thickness of a slice; its file is read again when a slice is new."""
    known: dict[int, float] = {}

    def thickness_nm(index: int) -> float:
        if index not in known:
            told = read_thickness(folder)
            known.update({at: _or_nan(thickness.measured_nm) for at, thickness in told.items()})
        return known.get(index, float("nan"))

    return thickness_nm


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
