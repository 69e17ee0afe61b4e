"""A daemon's sockets fed with plausible numbers, the real monitor on them, and a real browser.

The feeder exists only here: it says over the real wire what a run would say, with a seed of its own.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from daemon.control import ControlServer
from daemon.face_block import FaceBlock
from daemon.heartbeat import Heartbeat
from daemon.inbox import Inbox
from daemon.items import FinishReason, RunState, Status, ThicknessSource
from daemon.messages import (
    AlarmMessage,
    ChannelDescription,
    ChannelPlacement,
    DriftMessage,
    HeartbeatMessage,
    MetricsMessage,
    PlanesMessage,
    RunMessage,
    SliceMessage,
    ThicknessMessage,
)
from daemon.preview import Cuts, Face, preview_message
from daemon.publish import Publisher
from daemon.requests import ReadFace

CHANNELS = (
    ChannelDescription("1kV", 1.0, False),
    ChannelDescription("2kV", 2.0, True),
    ChannelDescription("4kV", 4.0, False),
)
GAP = 17


@functools.cache
def sample() -> NDArray[np.uint8]:
    """Labels (z, y, x) of ligaments of two sizes."""
    rng = np.random.default_rng(5)
    coarse, fine = (
        gaussian_filter(rng.standard_normal((200, 240, 360)).astype(np.float32), width)
        for width in (6.0, 2.0)
    )
    return ((coarse > np.quantile(coarse, 0.72)) & (fine > np.quantile(fine, 0.45))).astype(np.uint8)


@dataclass
class FedDaemon:
    """Real sockets, and a run that is told over them slice by slice."""

    publisher: Publisher
    control: ControlServer
    inbox: Inbox
    heartbeat: Heartbeat
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    depth_nm: float = 0.0
    done: int = 0
    volume: NDArray[np.uint8] = field(default_factory=lambda: sample(), repr=False)

    def tell_run(self, **changes: object) -> None:
        """State of the run as it stands."""
        facts: dict[str, object] = {
            "state": RunState.WORKING,
            "project": "HNPG 2026-03",
            "channels": CHANNELS,
            "slices_done": self.done,
            "slices_expected": 316,
            "gaps": int(self.done > GAP),
            "thickness_source": ThicknessSource.RULER,
            "target_thickness_nm": 10.0,
            "limits_nm": (2.0, 25.0),
            "pixel_size_nm": 3.26,
            "grid_nm": 2.5,
            "device": "CPU",
            "provider": "CPUExecutionProvider",
            "provider_wanted": "CPUExecutionProvider",
            "usual_interval_s": 564.0,
            "ledger": {"seen": 3 * self.done, "used": 3 * self.done},
        }
        self.publisher.publish(RunMessage(**(facts | changes)))  # type: ignore[arg-type]

    def tell_slices(self, count: int) -> None:
        """The next ``count`` slices, with a preview after the last."""
        for _ in range(count):
            self._tell_slice(self.done)
            self.done += 1
        self.tell_run()
        self.tell_preview(self.done - 1)

    def tell_end(self) -> None:
        """The newest face becomes final, and the run is over."""
        self.publisher.publish(SliceMessage(index=self.done - 1, status=Status.FINAL))
        self.tell_preview(self.done - 1, Status.FINAL)
        self.tell_run(state=RunState.FINISHED, finish_reason=FinishReason.COMPLETED)

    def tell_alarm(self, identifier: str, **changes: object) -> None:
        """An alarm of a thick slice."""
        facts: dict[str, object] = {
            "id": identifier,
            "kind": "thickness limit",
            "slice_index": self.done - 1,
            "message": "one slice is thicker than the limit",
            "measurement": 26.3,
            "limit": 25.0,
            "remedy": "Look at the ion beam's current and at the last faces.",
        }
        self.publisher.publish(AlarmMessage(**(facts | changes)))  # type: ignore[arg-type]

    def tell_preview(self, index: int, status: Status = Status.PROVISIONAL) -> None:
        """Pictures of a face and of the volume down to it."""
        depth = min(int(self.depth_nm / 2.5) + 2, 199)
        face = self.volume[depth]
        images = {
            channel.name: self._image(depth, reach)
            for channel, reach in zip(CHANNELS, (2.0, 6.0, 14.0), strict=True)
        }
        cuts = Cuts(
            {"xy": face, "xz": self.volume[:depth, 120], "yz": self.volume[:depth, :, 180]},
            {"xy": depth, "xz": 120, "yz": 180},
            2.5,
            final_rows=max(0, depth - 12),
        )
        pixel = Face(index, status, images, (2.5 / 0.788, 2.5), labels=face)
        self.publisher.publish(preview_message(pixel, cuts))

    def _image(self, depth: int, reach: float) -> NDArray[np.uint8]:
        layers = self.volume[depth : depth + 20].astype(np.float32)
        weights = np.exp(-np.arange(len(layers)) / reach).astype(np.float32)
        shine = 1.0 - np.exp(-np.einsum("zyx,z->yx", layers, weights) * 1.2)
        counts = self.rng.poisson(40.0 + 140.0 * shine)
        return np.clip(counts, 0, 255).astype(np.uint8)

    def _tell_slice(self, index: int) -> None:
        if index == GAP:
            self.publisher.publish(SliceMessage(index=index, status=Status.GAP, reason="missing"))
            return
        nm = float(self.rng.gamma(10.6, 0.96))
        self.depth_nm += nm
        placed = {c.name: ChannelPlacement(0.3, -1.2, 0.04, 0.95, "fiducial") for c in CHANNELS}
        self.publisher.publish(SliceMessage(index=index, status=Status.PROVISIONAL, channels=placed))
        self.publisher.publish(
            ThicknessMessage(
                index=index,
                depth_nm=self.depth_nm,
                depth_sigma_nm=0.25,
                thickness_nm=nm if index else math.nan,
                thickness_sigma_nm=float(self.rng.uniform(0.5, 1.1)),
                source=ThicknessSource.RULER,
            )
        )
        self._tell_figures(index)

    def _tell_figures(self, index: int) -> None:
        settle = math.exp(-index / 25.0)
        wave = 1.2 + math.sin(index / 7.0)
        self.publisher.publish(
            DriftMessage(
                index=index,
                statistics={"thicker": wave, "thinner": 0.7 * (2.4 - wave)},
                threshold=5.07,
                verdict="in control",
            )
        )
        plane = int(self.depth_nm / 2.5)
        figures = {"e_tpcf": 0.12 + 0.3 * settle, "e_lpf": 0.05 + 0.2 * settle, "e_d": 0.012 + 0.15 * settle}
        self.publisher.publish(MetricsMessage(plane=plane, solid_fraction=0.126 - 0.02 * settle, **figures))
        self.publisher.publish(PlanesMessage(first=plane, count=4, shape=(plane, 240, 360), grid_nm=2.5))


class FedVolume:
    """The sample as a volume of one pyramid level."""

    def shape(self, level: int) -> tuple[int, int, int]:
        """Its shape (z, y, x)."""
        depth, height, width = sample().shape
        return depth, height, width

    def read(
        self, level: int, first: int, count: int, y: int, x: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """A block."""
        return sample()[first : first + count, y : y + height, x : x + width]


class FedFaces:
    """Every slice shows the same face."""

    def read(self, request: ReadFace) -> FaceBlock:
        """A block of it, in steps."""
        face = sample()[50] * np.uint8(200)
        rows = slice(request.y, request.y + (request.height or 240), request.step)
        columns = slice(request.x, request.x + (request.width or 360), request.step)
        return FaceBlock(face[rows, columns], (240, 360), (0, 0), (3.17, 2.5), request.step)


def _control(endpoint: str, publisher: Publisher, inbox: Inbox) -> ControlServer:
    return ControlServer(
        endpoint=endpoint, publisher=publisher, inbox=inbox, volume=FedVolume(), faces=FedFaces()
    )


@contextlib.contextmanager
def fed_daemon(
    epoch: int = 1, events: str = "tcp://127.0.0.1:0", control: str = "tcp://127.0.0.1:0", beat_s: float = 0.5
) -> Generator[FedDaemon]:
    """A daemon's sockets with a heartbeat, closed afterwards."""

    def vitals() -> HeartbeatMessage:
        return HeartbeatMessage(state=RunState.WORKING, interval_s=beat_s, last_image_age_s=72.0)

    inbox = Inbox()
    with (
        contextlib.closing(
            Publisher(run="fed", epoch=epoch, endpoint=events, now=lambda: datetime.now(UTC))
        ) as publisher,
        contextlib.closing(_control(control, publisher, inbox)) as server,
        contextlib.closing(Heartbeat(publisher, vitals, beat_s)) as heartbeat,
    ):
        yield FedDaemon(publisher, server, inbox, heartbeat)


@contextlib.contextmanager
def monitor_of(*daemons: tuple[str, str], port: int = 0) -> Generator[str]:
    """The real monitor of these (events, control) in its own process; yields the address that logs in."""
    port = port or free_port()
    arguments = ["monitor", "--host", "127.0.0.1", "--port", str(port)]
    for events, control in daemons:
        arguments += ["--connect", control, "--events", events]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon", *arguments], env=environment, stdout=subprocess.PIPE
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/", process)
        assert process.stdout is not None
        yield process.stdout.readline().decode().removeprefix("dashboard: ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180.0
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            process.poll()
    raise RuntimeError(f"the monitor has not come up (exit code {process.poll()})")


@dataclass(frozen=True)
class Served:
    """A running monitor, and the endpoints where it looks for a daemon."""

    address: str
    events: str
    control: str
    epochs: Iterator[int]


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """One monitor for all tests: daemons come and go, as they do in a laboratory."""
    events, control = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
    with monitor_of((events, control)) as address:
        yield Served(address, events, control, itertools.count(1))


@pytest.fixture
def daemon(served: Served) -> Generator[FedDaemon]:
    """A daemon where the monitor looks for one, and forty slices told."""
    with fed_daemon(next(served.epochs), served.events, served.control) as fed:
        fed.tell_slices(40)
        yield fed
