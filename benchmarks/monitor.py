"""How quickly the dashboard shows what is said, and what it costs on a long run with several browsers open.

A publisher says over real sockets what a run of 2000 slices says; the real monitor follows it and five real
browsers look at it, on the same machine, whose processors all of them share. Latency is from the moment the
last of a slice is published to the moment its number stands on a screen; ``complete_…`` is until the last of
its charts and pictures does. Both are seen from inside the page, in the frame after. Memory is the server's
resident set and the pages' JavaScript heap after a forced collection, each against that after 100 slices. The
first 100 are told one by one, as a microscope tells them, so that pages have drawn each: a browser compiles
by and by what runs often, and after a few drawings of many slices at once its heap would lack that code.
"""

from __future__ import annotations

import time
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
from benchmarks.monitor_run import Run, run_message, slice_messages, told_run
from daemon.monitor.chart_frame import Options
from daemon.monitor.metrics_charts import metrics_chart
from daemon.monitor.palette import DARK
from daemon.monitor.thickness_charts import drift_chart, histogram_chart, thickness_chart
from daemon.view import RunView
from daemon.wire import SCHEMA, Envelope, Event

CHROMIUM: Final = Path("/usr/bin/chromium")
CALM_MS: Final = 1000  # after which all of a slice is on the screen
DRAWN_MS: Final = 500  # … or nearly all, where it need not be waited for
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


@dataclass(frozen=True, slots=True)
class Effort:
    """Slices that are told, those of them told one by one at first, those timed afterwards; browsers."""

    slices: int
    early: int
    timed: int
    clients: int


FULL: Final = Effort(slices=2000, early=100, timed=60, clients=5)
QUICK: Final = Effort(slices=120, early=20, timed=6, clients=2)


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """2000 slices and 60 timed ones, five browsers; quick: 120 and 6, two browsers."""
    if not CHROMIUM.exists():
        raise CannotMeasureError(f"there is no browser at {CHROMIUM}; apt install chromium")
    effort = QUICK if quick else FULL
    figures = update_costs(effort.slices)
    with told_run() as (run, address, server):
        figures |= _watched(run, address, server, effort)
    return _table(figures, effort), figures


def update_costs(slices: int) -> dict[str, float]:
    """Processor time that the server's thread spends on a slice: taking it in, all charts drawn anew, s."""
    view, rng = RunView(), np.random.default_rng(1)
    for index in range(1, slices + 1):
        _apply(view, index, rng)
    costs: list[float] = []
    for index in range(slices + 1, slices + 21):
        begun = time.thread_time()
        _apply(view, index, rng)
        for chart in (thickness_chart, drift_chart, histogram_chart, metrics_chart):
            _encoded(chart(view, DARK))
        costs.append(time.thread_time() - begun)
    return {"update_cost_s": float(np.median(costs)), "update_cost_p95_s": float(np.quantile(costs, 0.95))}


def _apply(view: RunView, index: int, rng: np.random.Generator) -> None:
    for message in (*slice_messages(index, rng), run_message(index)):
        view.apply(Event(Envelope(SCHEMA, "bench", 1, index, datetime.now(UTC)), message))


def _encoded(options: Options) -> bytes:
    return msgspec.json.encode(options)


def _watched(run: Run, address: str, server: psutil.Process, effort: Effort) -> dict[str, float]:
    """With browsers open: memory early and after all slices, then latencies one by one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        pages = [browser.new_page(viewport={"width": 1280, "height": 720}) for _ in range(effort.clients)]
        for page in pages:
            page.goto(address)
            page.evaluate(WATCH)
        _tell_one_by_one(run, pages, effort.early)
        early = _memory(server, pages)
        _tell_until(run, pages, effort.slices)
        late = _memory(server, pages)
        latencies = [_latencies(run, pages) for _ in range(effort.timed)]
        browser.close()
    shown, complete = (np.concatenate(one) for one in zip(*latencies, strict=True))
    return {
        "latency_p50_s": float(np.median(shown)),
        "latency_p95_s": float(np.quantile(shown, 0.95)),
        "latency_max_s": float(shown.max()),
        "complete_p50_s": float(np.median(complete)),
        "complete_p95_s": float(np.quantile(complete, 0.95)),
        "memory_growth_ratio": late[0] / early[0],
        "heap_growth_ratio": late[1] / early[1],
        "memory_mib": late[0],
        "heap_mib": late[1],
    }


def _tell_one_by_one(run: Run, pages: list[Any], slices: int) -> None:
    """Tell slices as a microscope does: each is drawn before the next comes."""
    while run.done < slices:
        run.tell_slice()
        _await_shown(pages, run.done)
        pages[0].wait_for_timeout(DRAWN_MS)


def _tell_until(run: Run, pages: list[Any], slices: int) -> None:
    """Tell slices no faster than the first page shows them, in batches."""
    while run.done < slices:
        for _ in range(min(25, slices - run.done)):
            run.tell_slice()
        _await_shown(pages, run.done)


def _await_shown(pages: list[Any], number: int) -> None:
    for page in pages:
        page.wait_for_function(f"{number} in window.seen", timeout=120_000)


def _latencies(run: Run, pages: list[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds from publishing the next slice to its number, and to all of it, on every screen."""
    published = run.tell_slice()
    _await_shown(pages, run.done)
    pages[0].wait_for_timeout(CALM_MS)
    shown, complete = (
        np.array([page.evaluate(what) - published for page in pages])
        for what in (f"window.seen[{run.done}]", "window.changed")
    )
    return shown, complete


def _memory(server: psutil.Process, pages: list[Any]) -> tuple[float, float]:
    """MiB resident in the server, and mean MiB of the pages' heaps after a collection."""
    pages[0].wait_for_timeout(CALM_MS)
    return server.memory_info().rss / 2**20, float(np.mean([_heap_mib(page) for page in pages]))


def _heap_mib(page: Any) -> float:
    """As the browser's own tools say it: what a page is told of itself is rounded."""
    tools = page.context.new_cdp_session(page)
    tools.send("HeapProfiler.collectGarbage")
    used = float(tools.send("Runtime.getHeapUsage")["usedSize"])
    tools.detach()
    return used / 2**20


def _table(figures: dict[str, float], effort: Effort) -> Table:
    title = f"the dashboard, {effort.slices} slices, {effort.clients} browsers"
    table = Table("figure", "measured", "bar", title=title)
    table.add_row("published → on screen, p95", f"{figures['latency_p95_s']:.3f} s", "< 0.5 s")
    table.add_row("published → on screen, median", f"{figures['latency_p50_s']:.3f} s", "")
    table.add_row("… its last chart or picture, p95", f"{figures['complete_p95_s']:.3f} s", "")
    table.add_row(f"update at slice {effort.slices}", f"{1e3 * figures['update_cost_s']:.1f} ms", "≤ 100 ms")
    table.add_row(
        f"server memory, against slice {effort.early}", f"{figures['memory_growth_ratio']:.3f}", "≤ 1.2"
    )
    table.add_row(
        f"browser heap, against slice {effort.early}", f"{figures['heap_growth_ratio']:.3f}", "≤ 1.2"
    )
    table.add_row("server memory", f"{figures['memory_mib']:.0f} MiB", "")
    table.add_row("browser heap", f"{figures['heap_mib']:.1f} MiB", "")
    return table
