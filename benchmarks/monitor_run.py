"""A run that is told over real sockets slice by slice, as long as one likes, and the real monitor on it."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.__main__ import CannotMeasureError
from daemon.control import ControlServer
from daemon.descriptions import ChannelDescription, ChannelPlacement
from daemon.heartbeat import Heartbeat
from daemon.inbox import Inbox
from daemon.items import FoundMark, RunState, Status, ThicknessSource
from daemon.messages import (
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

CHANNELS: Final = ("1kV", "2kV", "4kV")
ANYWHERE: Final = "tcp://127.0.0.1:0"
PLANES_PER_SLICE: Final = 4


@dataclass(slots=True)
class Run:
    """A run that is told; ``view`` is the same picture as the monitor's."""

    publisher: Publisher
    rng: np.random.Generator
    done: int = 0
    depth_nm: float = 0.0

    def tell_slice(self) -> float:
        """Everything that one slice gives; the time (UNIX, s) at which the last of it was published."""
        self.done += 1
        for message in slice_messages(self.done, self.rng):
            self.publisher.publish(message)
        self.publisher.publish(self.preview())
        self.publisher.publish(run_message(self.done))
        return time.time()

    def preview(self) -> Any:
        """Pictures of a real preview's size."""
        images = {name: self._noise((512, 768)) for name in CHANNELS}
        labels = (images["1kV"] > 150).astype(np.uint8)
        cuts = Cuts(
            {"xy": labels, "xz": labels[:200], "yz": labels[:200]}, {"xy": 1, "xz": 1, "yz": 1}, 2.5, 196
        )
        face = Face(self.done, Status.PROVISIONAL, images, (4.1, 3.26), labels)
        return preview_message(face, cuts)

    def _noise(self, shape: tuple[int, int]) -> NDArray[np.uint8]:
        return self.rng.integers(90, 200, shape, dtype=np.uint8)


def run_message(done: int) -> RunMessage:
    """The state of the run."""
    return RunMessage(
        state=RunState.WORKING,
        channels=tuple(ChannelDescription(name, float(name[0]), name == "2kV") for name in CHANNELS),
        slices_done=done,
        slices_expected=3000,
        thickness_source=ThicknessSource.RULER,
        target_thickness_nm=10.0,
        limits_nm=(2.0, 25.0),
        pixel_size_nm=3.26,
        usual_interval_s=564.0,
    )


def slice_messages(index: int, rng: np.random.Generator) -> Iterator[Any]:
    """What the daemon says of a slice, but for its pictures."""
    shift = float(rng.normal(0.0, 2.0))
    placed = {name: ChannelPlacement(shift, -shift, 0.02, 0.98, "fiducial") for name in CHANNELS}
    for status in (Status.PROVISIONAL, Status.FINAL):
        yield SliceMessage(index=index, status=status, channels=placed)
    marks = tuple(
        FoundMark(name, "inclined", 100.0 * k, 0.01, 30.0, 80.0, 15.0, used=True)
        for name in CHANNELS
        for k in range(4)
    )
    nm = float(rng.gamma(10.6, 0.96))
    depth_nm = 10.2 * index
    yield ThicknessMessage(
        index=index,
        depth_nm=depth_nm,
        depth_sigma_nm=0.1,
        thickness_nm=nm,
        thickness_sigma_nm=0.14,
        source=ThicknessSource.RULER,
        asv_nm=nm + float(rng.normal(0.0, 2.0)),
        channels=CHANNELS,
        marks=marks,
    )
    statistics = {"thicker": float(rng.random()), "thinner": float(rng.random()), "spread": 0.3}
    yield DriftMessage(index=index, statistics=statistics, threshold=5.0, verdict="in control")
    first = PLANES_PER_SLICE * (index - 1)
    yield PlanesMessage(
        first=first, count=PLANES_PER_SLICE, shape=(first + PLANES_PER_SLICE, 800, 1000), grid_nm=2.5
    )
    for plane in range(first, first + PLANES_PER_SLICE):
        yield metrics_message(plane, with_curves=plane == first + PLANES_PER_SLICE - 1)


def metrics_message(plane: int, *, with_curves: bool) -> MetricsMessage:
    """Figures that settle; the last of a batch carries the curves."""
    settle = math.exp(-plane / 300.0)
    lag = np.arange(200) * 2.5
    curves = {f"{kind}_{axis}": np.exp(-lag / 40.0) for kind in ("tpcf", "lpf") for axis in "xyz"}
    return MetricsMessage(
        plane=plane,
        solid_fraction=0.12 - 0.02 * settle,
        e_tpcf=0.05 + 0.2 * settle,
        e_lpf=0.04 + 0.1 * settle,
        e_d=0.02 + 0.1 * settle,
        solid_fraction_sigma=0.003,
        e_tpcf_sigma=0.01,
        e_lpf_sigma=0.01,
        e_d_sigma=0.005,
        arrays={"lag_nm": lag, **curves} if with_curves else {},
    )


@contextmanager
def told_run() -> Generator[tuple[Run, str, psutil.Process]]:
    """A publisher, and the real monitor in a process of its own; its address, and its process."""
    inbox, port = Inbox(), _free_port()
    with ExitStack() as stack:
        publisher = stack.enter_context(
            closing(
                Publisher(run="bench", epoch=1, endpoint="tcp://127.0.0.1:0", now=lambda: datetime.now(UTC))
            )
        )
        control = stack.enter_context(
            closing(ControlServer(endpoint=ANYWHERE, publisher=publisher, inbox=inbox))
        )
        stack.enter_context(closing(Heartbeat(publisher, _vitals)))
        command = ["monitor", "--connect", control.endpoint, "--events", publisher.endpoint]
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", *command, "--port", str(port)],
            stdout=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        stack.callback(process.wait, 30)
        stack.callback(process.terminate)
        address = f"http://127.0.0.1:{port}/"
        _await_server(port, process)
        yield Run(publisher, np.random.default_rng(2)), address, psutil.Process(process.pid)


def _vitals() -> HeartbeatMessage:
    return HeartbeatMessage(state=RunState.WORKING, interval_s=2.0, last_image_age_s=1.0)


def _await_server(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180.0
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise CannotMeasureError(f"the monitor has not come up (exit code {process.poll()})")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
