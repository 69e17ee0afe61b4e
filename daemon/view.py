"""The run as its messages tell it: a picture that a snapshot begins and every later event continues.

The same picture serves the dashboard, ``slicewatch status`` and a notebook. It holds the last word on every
subject and nothing else, so it is as large as the run's tables.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from daemon.client import Answer
from daemon.messages import (
    AlarmMessage,
    DriftMessage,
    HeartbeatMessage,
    Message,
    MetricsMessage,
    PlanesMessage,
    PreviewMessage,
    RunMessage,
    SliceMessage,
    ThicknessMessage,
)
from daemon.wire import Envelope, Event


@dataclass(slots=True)
class RunView:
    """The last message on every subject; ``revisions`` counts what has come, per topic.

    ``curves`` is the newest message on metrics that came with its curves; ``metrics`` are without theirs.
    """

    envelope: Envelope | None = None
    run: RunMessage | None = None
    planes: PlanesMessage | None = None
    heartbeat: HeartbeatMessage | None = None
    preview: PreviewMessage | None = None
    preview_seq: int = 0
    slices: dict[int, SliceMessage] = field(default_factory=dict[int, SliceMessage])
    thickness: dict[int, ThicknessMessage] = field(default_factory=dict[int, ThicknessMessage])
    drift: dict[int, DriftMessage] = field(default_factory=dict[int, DriftMessage])
    metrics: dict[int, MetricsMessage] = field(default_factory=dict[int, MetricsMessage])
    curves: MetricsMessage | None = None
    alarms: dict[str, AlarmMessage] = field(default_factory=dict[str, AlarmMessage])
    revisions: Counter[str] = field(default_factory=Counter[str])

    def begin(self, answer: Answer) -> None:
        """Forget everything and start from a snapshot."""
        for table in (self.slices, self.thickness, self.drift, self.metrics, self.alarms):
            table.clear()
        self.run = self.planes = self.heartbeat = self.preview = self.curves = None
        self.revisions.update(("run", "slice", "thickness", "drift", "metrics", "alarm", "planes", "preview"))
        for event in answer.events:
            self.apply(event)
        self.envelope = answer.envelope

    def apply(self, event: Event) -> None:
        """Take in the next message."""
        self.envelope = event.envelope
        self.revisions[event.message.topic] += 1
        self._store(event.message, event.envelope.seq)

    def _store(self, message: Message, seq: int) -> None:
        match message:
            case SliceMessage():
                self.slices[message.index] = message
            case ThicknessMessage():
                self.thickness[message.index] = message
            case DriftMessage():
                self.drift[message.index] = message
            case MetricsMessage():
                self.metrics[message.plane] = msgspec.structs.replace(message, arrays={})
                self.curves = message if message.arrays else self.curves
            case AlarmMessage():
                self.alarms[message.id] = message
            case PreviewMessage():
                self.preview, self.preview_seq = message, seq
            case RunMessage():
                self.run = message
            case PlanesMessage():
                self.planes = message
            case HeartbeatMessage():
                self.heartbeat = message
            case _:
                raise TypeError(f"no table for {type(message).__name__}")
