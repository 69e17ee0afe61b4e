"""What stays open over all attempts of a process: one run's configuration, files, sockets and clocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from daemon.abort.bridge import Bridge
from daemon.config import Configuration
from daemon.faces import SeenFaces
from daemon.inbox import Inbox
from daemon.journal import Journal
from daemon.outputs import Outputs
from daemon.publish import Publisher
from daemon.run_tables import RunTables
from daemon.stages.filling import Filling
from daemon.vitals import Vitals
from daemon.volume_reader import StoredVolume
from models.domain import ChannelDomain
from models.session import Segmenter


@dataclass(frozen=True, slots=True)
class Station:
    """Where things come from and go to.

    ``known`` are the images that the network knows, by channel, empty if nobody has learned them.
    ``clock`` is monotonic, in s; ``now`` is UTC. ``expected_slices`` 0: unknown. ``follow`` false: the
    acquisition is over, so the run ends when every file has been read.
    """

    configuration: Configuration
    outputs: Outputs
    journal: Journal
    segmenter: Segmenter
    known: Mapping[str, ChannelDomain]
    filling: Filling
    publisher: Publisher
    inbox: Inbox
    volume: StoredVolume
    faces: SeenFaces
    tables: RunTables
    vitals: Vitals
    bridge: Bridge
    expected_slices: int
    follow: bool
    clock: Callable[[], float]
    now: Callable[[], datetime]
