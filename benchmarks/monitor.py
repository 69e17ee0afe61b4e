"""How quickly the dashboard shows what is said, and what it costs on a long run with several browsers open.

A publisher says over real sockets what a run of 2000 slices says; the real monitor follows it and five real
browsers look at it. Latency is from the moment a slice is published to the moment its number stands on the
screen, seen from inside the page. Memory is the server's resident set and the pages' JavaScript heap after a
forced collection, each against what it was after 100 slices.
"""

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
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray
from rich.table import Table

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
from daemon.monitor.chart_frame import Options
from daemon.monitor.metrics_charts import metrics_chart
from daemon.monitor.palette import DARK
from daemon.monitor.thickness_charts import drift_chart, histogram_chart, thickness_chart
from daemon.preview import Cuts, Face, preview_message
from daemon.publish import Publisher
from daemon.view import RunView
from daemon.wire import SCHEMA, Envelope, Event

CHROMIUM: Final = Path("/usr/bin/chromium")
CHANNELS: Final = ("1kV", "2kV", "4kV")
ANYWHERE: Final = "tcp://127.0.0.1:0"
PLANES_PER_SLICE: Final = 4
CLIENTS: Final = 5
EARLY: Final = 100
WATCH: Final = """() => {
  window.seen = {};
  window.changed = 0;
  const onScreen = (keep) => requestAnimationFrame(() => setTimeout(() => keep(Date.now() / 1000)));
  const note = (records) => {
    const field = [...document.querySelectorAll('.large .field')].find(
      (one) => one.querySelector('.key').textContent === 'Slice');
    const number = parseInt(field?.querySelector('.value').textContent);
    if (!(number in window.seen)) onScreen((at) => (window.seen[number] ??= at));
    if (records.some((one) => one.type === 'attributes')) onScreen((at) => (window.changed = at));
  };
  const what = {subtree: true, childList: true, characterData: true, attributeFilter: ['data-drawn', 'href']};
  new MutationObserver(note).observe(document.body, what);
}"""


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


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """2000 slices and 60 timed ones, five browsers; quick: 400 and 12, two browsers."""
    if not CHROMIUM.exists():
        raise CannotMeasureError(f"there is no browser at {CHROMIUM}; apt install chromium")
    slices, timed, clients = (400, 12, 2) if quick else (2000, 60, CLIENTS)
    figures = update_costs(slices)
    with _told_run() as (run, address, server):
        figures |= _watched(run, address, server, slices, timed, clients)
    return _table(figures, slices, clients), figures


def update_costs(slices: int) -> dict[str, float]:
    """What the server's thread spends to take in a slice and draw the charts of the whole run anew, s."""
    view, rng = RunView(), np.random.default_rng(1)
    for index in range(1, slices + 1):
        _apply(view, index, rng)
    costs: list[float] = []
    for index in range(slices + 1, slices + 21):
        begun = time.perf_counter()
        _apply(view, index, rng)
        for chart in (thickness_chart, drift_chart, histogram_chart, metrics_chart):
            _encoded(chart(view, DARK))
        costs.append(time.perf_counter() - begun)
    return {"update_cost_s": float(np.median(costs)), "update_cost_p95_s": float(np.quantile(costs, 0.95))}


def _apply(view: RunView, index: int, rng: np.random.Generator) -> None:
    for message in (*slice_messages(index, rng), run_message(index)):
        view.apply(Event(Envelope(SCHEMA, "bench", 1, index, datetime.now(UTC)), message))


def _encoded(options: Options) -> bytes:

    return msgspec.json.encode(options)


def _watched(
    run: Run, address: str, server: psutil.Process, slices: int, timed: int, clients: int
) -> dict[str, float]:
    """With browsers open: memory after 100 slices and after all of them, then latencies one by one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--js-flags=--expose-gc"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        pages = [browser.new_page(viewport={"width": 1280, "height": 720}) for _ in range(clients)]
        for page in pages:
            page.goto(address)
            page.evaluate(WATCH)
        _tell_until(run, pages, EARLY)
        early = _memory(server, pages)
        _tell_until(run, pages, slices)
        late = _memory(server, pages)
        latencies = [_latency(run, pages) for _ in range(timed)]
        browser.close()
    latency = np.concatenate(latencies)
    return {
        "latency_p50_s": float(np.median(latency)),
        "latency_p95_s": float(np.quantile(latency, 0.95)),
        "latency_max_s": float(latency.max()),
        "memory_growth_ratio": late[0] / early[0],
        "heap_growth_ratio": late[1] / early[1],
        "memory_mib": late[0],
        "heap_mib": late[1],
    }


def _tell_until(run: Run, pages: list[Any], slices: int) -> None:
    """Tell slices no faster than the first page shows them, in batches."""
    while run.done < slices:
        for _ in range(min(25, slices - run.done)):
            run.tell_slice()
        _await_shown(pages, run.done)


def _await_shown(pages: list[Any], number: int) -> None:
    for page in pages:
        page.wait_for_function(f"{number} in window.seen", timeout=120_000)


def _latency(run: Run, pages: list[Any]) -> NDArray[np.float64]:
    """Seconds from publishing the next slice to its number on every screen."""
    published = run.tell_slice()
    _await_shown(pages, run.done)
    return np.array([page.evaluate(f"window.seen[{run.done}]") - published for page in pages])


def _memory(server: psutil.Process, pages: list[Any]) -> tuple[float, float]:
    """MiB resident in the server, and mean MiB of the pages' heaps after a collection."""
    heaps: list[float] = []
    for page in pages:
        page.evaluate("gc()")
        heaps.append(float(page.evaluate("performance.memory.usedJSHeapSize")) / 2**20)
    return server.memory_info().rss / 2**20, float(np.mean(heaps))


@contextmanager
def _told_run() -> Generator[tuple[Run, str, psutil.Process]]:
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
    deadline = time.monotonic() + 60.0
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


def _table(figures: dict[str, float], slices: int, clients: int) -> Table:
    table = Table("figure", "measured", "bar", title=f"the dashboard, {slices} slices, {clients} browsers")
    table.add_row("published → on screen, p95", f"{figures['latency_p95_s']:.3f} s", "< 0.5 s")
    table.add_row("published → on screen, median", f"{figures['latency_p50_s']:.3f} s", "")
    table.add_row(f"update at slice {slices}", f"{1e3 * figures['update_cost_s']:.1f} ms", "≤ 100 ms")
    table.add_row(f"server memory, against slice {EARLY}", f"{figures['memory_growth_ratio']:.3f}", "≤ 1.2")
    table.add_row(f"browser heap, against slice {EARLY}", f"{figures['heap_growth_ratio']:.3f}", "≤ 1.2")
    table.add_row("server memory", f"{figures['memory_mib']:.0f} MiB", "")
    table.add_row("browser heap", f"{figures['heap_mib']:.1f} MiB", "")
    return table
