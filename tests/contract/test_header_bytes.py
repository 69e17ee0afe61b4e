"""The spliced header is byte for byte the merged map that docs/protocol.md describes."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import wire
from daemon.descriptions import ChannelDescription, ChannelPlacement, EscalationDescription
from daemon.header import TIMED, ArrayDescription, Envelope, header, plain
from daemon.items import FoundMark, RunState, Status, ThicknessSource
from daemon.messages import (
    TYPES,
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

NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
ENVELOPE = Envelope(wire.SCHEMA, "run-1", 2, 7, NOW)
GRACE = EscalationDescription(stage="grace", alarm="3", ends_at=NOW, grace_left_s=12.5)
MARK = FoundMark("2kV", "tick", 10.5, 0.1, 3.0, 40.0, 6.0, used=True)
SAID: tuple[Message, ...] = (
    RunMessage(
        state=RunState.WORKING,
        channels=(ChannelDescription("1kV", 1.0, True),),
        armed_at=NOW,
        started_at=NOW,
        last_image_at=NOW,
        escalation=GRACE,
        ledger={"seen": 3},
    ),
    SliceMessage(
        index=1, status=Status.FINAL, channels={"2kV": ChannelPlacement(0.1, 0.2, 0.3, 0.9, "face")}
    ),
    ThicknessMessage(index=1, depth_nm=10.0, source=ThicknessSource.RULER, notes=("ü",), marks=(MARK,)),
    DriftMessage(index=1, statistics={"glr": np.float64(2.0), "cusum": np.float32(0.5)}),  # type: ignore[dict-item]
    AlarmMessage(id="1", kind="limit", slice_index=1, message="thick", evidence={"nm": 31.0}),
    PlanesMessage(first=0, count=1, shape=(1, 2, 3)),
    MetricsMessage(plane=1),
    PreviewMessage(index=np.int64(1), cut_at={"xy": 4}),  # type: ignore[arg-type]
    HeartbeatMessage(state=RunState.WAITING, interval_s=2.0, escalation=GRACE),
)
DESCRIBED = (
    ArrayDescription("tpcf_x", "float32", (90,), "raw"),
    ArrayDescription("labels", "uint8", (), "raw"),
)


def merged(message: Message, envelope: Envelope, described: tuple[ArrayDescription, ...]) -> bytes:
    """The header by the plain way."""
    fields = msgspec.to_builtins(envelope) | msgspec.to_builtins(message, enc_hook=plain)
    return msgspec.msgpack.encode(fields | {"arrays": msgspec.to_builtins(described)})


@pytest.mark.parametrize("described", [(), DESCRIBED], ids=["without arrays", "with arrays"])
@pytest.mark.parametrize("message", SAID, ids=lambda message: message.topic)
def test_spliced_is_merged(message: Message, described: tuple[ArrayDescription, ...]) -> None:
    """Of every topic, with times, numpy numbers, nested records, and few or many fields."""
    assert header(message, ENVELOPE, described) == merged(message, ENVELOPE, described)
    assert {message.topic for message in SAID} == set(TYPES)


@given(
    seq=st.integers(0, 2**63 - 1),
    run=st.text(max_size=300),
    time=st.datetimes(timezones=st.just(UTC)),
    depth=st.floats(),
    notes=st.lists(st.text(max_size=300), max_size=20),
)
def test_any_values_splice(seq: int, run: str, time: datetime, depth: float, notes: list[str]) -> None:
    """However long the numbers and texts are, and so the maps' parts."""
    envelope = Envelope(wire.SCHEMA, run, 1, seq, time)
    message = ThicknessMessage(
        index=seq, depth_nm=depth, source=ThicknessSource.ASV, notes=tuple(notes), asv_nm=-depth
    )
    assert header(message, envelope, DESCRIBED) == merged(message, envelope, DESCRIBED)


@pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.topic)
def test_records_with_times_are_known(kind: type[Message]) -> None:
    """A time in a record that is not listed would travel as an extension type, which is another format."""
    holds_a_time = "DateTimeType" in repr(msgspec.inspect.type_info(kind))
    assert holds_a_time == (kind in TIMED)
