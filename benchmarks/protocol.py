"""The wire: throughput beside bare pyzmq, latency, hostile peers, and nothing lost in a storm of reconnects.

Both sides send frames of the same sizes through sockets of the same options to as many subscribers, which
live in one process of their own. Bare pyzmq sends bytes that were made before; slicewatch encodes, numbers
and remembers each message. Every picture of a burst lies in memory of its own, on both sides: no sender has
only one to send. They take turns, and change who begins; the ratio is the median over such pairs, so that
what else the machine does meets both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from rich.table import Table

from benchmarks.protocol_ears import Ears
from benchmarks.protocol_hostile import hostile_figures
from benchmarks.protocol_storm import storm_figures
from daemon.endpoints import bind
from daemon.items import ThicknessSource
from daemon.keys import DaemonKeys, Role, make_key, open_keys
from daemon.messages import Message, MetricsMessage, ThicknessMessage
from daemon.publish import Publisher, publishing_socket
from daemon.wire import SCHEMA, Envelope, encode

SUBSCRIBERS = (1, 8, 32)
SETTLE_S = 0.5
MIN_PAIRS = 3
QUICK_S, FULL_S = 0.4, 6.0  # for each load and count of subscribers
_ENVELOPE = Envelope(
    SCHEMA, "f0f0f0f0-0000-4000-8000-000000000000", 1, 10**6, datetime(2026, 1, 1, tzinfo=UTC)
)


@dataclass(frozen=True, slots=True)
class Load:
    """Messages of one kind, so many that no queue drops any of them when they are sent in one burst."""

    name: str
    messages: Sequence[Message]


Send = Callable[[Load], None]


@dataclass(frozen=True, slots=True)
class Keys:
    """A daemon's keys and the file of a client's; neither where nothing is encrypted."""

    daemon: DaemonKeys | None = None
    client: Path | None = None


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Throughput, ratio and latency for each count of subscribers, then storm and hostile peers."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for keys, suffix in ((Keys(), ""), (_made_keys(Path(folder) / "keys"), "_curve")):
            figures |= _throughputs(keys, suffix, quick=quick)
            figures |= _latencies(keys, suffix, 300 if quick else 3000)
    figures["ratio_to_pyzmq"] = min(v for k, v in figures.items() if k.startswith("ratio_"))
    figures |= storm_figures(messages=3000 if quick else 20_000, cuts=10 if quick else 60)
    figures |= hostile_figures(slices=12 if quick else 72)
    figures["lost"] += sum(v for k, v in figures.items() if k.startswith("missed_"))
    return _table(figures), figures


def _throughputs(keys: Keys, suffix: str, *, quick: bool) -> dict[str, float]:
    """Rates of each load to each count of subscribers, and the ratio to bare pyzmq's."""
    figures: dict[str, float] = {}
    loads, first = _loads(quick=quick), Load("first", (_thickness(0, 0.0),))
    for count in SUBSCRIBERS:
        with (
            _ours(keys) as (here, publish),
            _bare(keys, (first, *loads)) as (there, send),
            Ears((here, there), count, keys.client) as ears,
        ):
            sides = (publish, send)
            for number, say in enumerate(sides):
                _await_subscribers(ears, lambda say=say: say(first), number)
            for load in loads:
                pairs, missed = _raced(load, sides, ears, for_s=QUICK_S if quick else FULL_S)
                ours_s = statistics.median(ours for ours, _ in pairs)
                sent = len(load.messages)
                size = sum(map(len, encode(load.messages[0], _ENVELOPE)))
                name = f"{load.name}_{count}{suffix}"
                figures[f"messages_per_s_{name}"] = sent / ours_s
                figures[f"mb_per_s_{name}"] = sent * size * count / ours_s / 1e6
                figures[f"ratio_{name}"] = statistics.median(bare / ours for ours, bare in pairs)
                figures[f"missed_{name}"] = float(missed)
    return figures


def _raced(
    load: Load, sides: Sequence[Send], ears: Ears, *, for_s: float
) -> tuple[list[tuple[float, ...]], int]:
    """Seconds of each side's bursts, until the last subscriber has it all, in pairs; and messages missed."""
    pairs, missed, until = list[tuple[float, ...]](), 0, time.perf_counter() + for_s
    while len(pairs) < MIN_PAIRS or time.perf_counter() < until:
        seconds = [0.0 for _ in sides]
        order = range(len(sides)) if len(pairs) % 2 else reversed(range(len(sides)))
        for number in order:
            seconds[number], lost = _burst(ears, number, sides[number], load)
            missed += lost
        pairs.append(tuple(seconds))
    return pairs, missed


def _await_subscribers(ears: Ears, say_one: Callable[[], None], endpoint: int = 0) -> None:
    """A subscription takes a moment; what is said before it is heard by nobody and not counted."""
    time.sleep(SETTLE_S)
    ears.expect(1, endpoint)
    say_one()
    ears.heard()


def _burst(ears: Ears, endpoint: int, say: Send, load: Load) -> tuple[float, int]:
    ears.expect(len(load.messages), endpoint)
    began = time.perf_counter()
    say(load)
    missed = ears.heard()["missed"]
    return time.perf_counter() - began, missed


@contextmanager
def _ours(keys: Keys) -> Generator[tuple[str, Send]]:
    publisher = Publisher(
        run=_ENVELOPE.run,
        epoch=1,
        endpoint="tcp://127.0.0.1:*",
        now=lambda: datetime.now(UTC),
        keys=keys.daemon,
    )

    def say(load: Load) -> None:
        for message in load.messages:
            publisher.publish(message)

    with closing(publisher):
        yield publisher.endpoint, say


@contextmanager
def _bare(keys: Keys, loads: Sequence[Load]) -> Generator[tuple[str, Send]]:
    """A PUB socket of its own; with keys it is encrypted too, and lets in whoever knows its public key.

    It copies, as pyzmq does unless told otherwise: so does ``publish``, and after either the picture's owner
    may change it. Without that promise (``copy=False``) bare pyzmq is up to twice as fast to one subscriber.
    """
    with zmq.Context() as context, publishing_socket(context) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        if keys.daemon is not None:
            socket.setsockopt(zmq.CURVE_SERVER, 1)
            socket.setsockopt(zmq.CURVE_SECRETKEY, keys.daemon.pair.secret.encode("ascii"))

        made = {
            load.name: [[bytes(part) for part in encode(message, _ENVELOPE)] for message in load.messages]
            for load in loads
        }

        def say(load: Load) -> None:
            for parts in made[load.name]:
                socket.send_multipart(parts)

        yield bind(socket, "tcp://127.0.0.1:*"), say


def _latencies(keys: Keys, suffix: str, messages: int) -> dict[str, float]:
    """From ``publish`` to the subscriber's hands, one message every 2 ms, µs."""
    publisher = Publisher(
        run="r", epoch=1, endpoint="tcp://127.0.0.1:*", now=lambda: datetime.now(UTC), keys=keys.daemon
    )

    def say(count: int) -> None:
        for index in range(count):
            publisher.publish(_thickness(index, time.monotonic()))
            time.sleep(0.002)

    latencies: list[float] = []
    with closing(publisher), Ears((publisher.endpoint,), 1, keys.client) as ears:
        _await_subscribers(ears, lambda: say(1))
        for _ in range(messages // 300):
            ears.expect(300)
            say(300)
            latencies += ears.heard()["latencies_us"]
    p50, p99 = np.percentile(latencies, (50, 99))
    return {f"latency_p50_us{suffix}": float(p50), f"latency_p99_us{suffix}": float(p99)}


def _loads(*, quick: bool) -> list[Load]:
    """A figure of a slice, and arrays of half a mebibyte as messages carry them, which are never dropped.

    Previews are not raced: they go out only as fast as somebody takes them, and then without pictures.
    """
    rng = np.random.default_rng(0)
    textures = [rng.integers(0, 255, (512, 1024), dtype=np.uint8) for _ in range(8 if quick else 24)]
    pictures = [MetricsMessage(plane=n, arrays={"picture": texture}) for n, texture in enumerate(textures)]
    return [Load("figure", [_thickness(1, 0.0)] * 4000), Load("picture", pictures)]


def _thickness(index: int, clock_s: float) -> ThicknessMessage:
    return ThicknessMessage(
        index=index,
        depth_nm=clock_s,
        depth_sigma_nm=0.2,
        thickness_nm=10.1,
        thickness_sigma_nm=0.3,
        source=ThicknessSource.RULER,
        channels=("1kV", "2kV", "4kV"),
    )


def _made_keys(folder: Path) -> Keys:
    client = make_key(folder, "ears", Role.READ, datetime.now(UTC))
    return Keys(open_keys(str(folder)), client)


def _table(figures: dict[str, float]) -> Table:
    table = Table("to", "messages/s", "MB/s", "× bare pyzmq", title=_TITLE, title_justify="left")
    for suffix, how in (("", "plain"), ("_curve", "CURVE")):
        for load in ("figure", "picture"):
            for count in SUBSCRIBERS:
                name = f"{load}_{count}{suffix}"
                row = (f"{figures[f'{key}_{name}']:.{n}f}" for key, n in _COLUMNS)
                table.add_row(f"{count} subscribers, {load}s, {how}", *row)
    for key, value in figures.items():
        if not key.startswith(("messages_per_s", "mb_per_s", "ratio_figure", "ratio_picture", "missed_")):
            table.add_row(key, f"{value:.4g}", "", "")
    return table


_TITLE: Any = "The wire; bare pyzmq is send_multipart as it comes, which copies"
_COLUMNS: Any = (("messages_per_s", 0), ("mb_per_s", 1), ("ratio", 2))
