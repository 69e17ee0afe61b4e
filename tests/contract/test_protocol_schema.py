"""docs/protocol.schema.json is the protocol, and what the daemon really writes conforms to it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest

from daemon import requests, wire
from daemon.errors import WireError
from daemon.items import RunState, Status, ThicknessSource
from daemon.messages import (
    TYPES,
    AlarmMessage,
    ChannelPlacement,
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
from daemon.schema import protocol_schema

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.schema.json"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SAID: tuple[Message, ...] = (
    RunMessage(state=RunState.WORKING, started_at=NOW),
    SliceMessage(
        index=1, status=Status.FINAL, channels={"2kV": ChannelPlacement(0.1, 0.2, 0.3, 0.9, "face")}
    ),
    ThicknessMessage(index=1, depth_nm=10.0, source=ThicknessSource.RULER),
    DriftMessage(index=1),
    AlarmMessage(id="1", kind="limit", slice_index=1, message="thick"),
    PlanesMessage(first=0, count=1, shape=(1, 2, 3)),
    MetricsMessage(plane=1, arrays={"lag_nm": np.zeros(3)}),
    PreviewMessage(index=1, arrays={"labels": np.zeros((2, 3), np.uint8)}),
    HeartbeatMessage(state=RunState.WAITING, interval_s=2.0),
)


def conforms(name: str, value: object) -> bool:
    """Whether a map is what the schema's definition says."""
    schema = {**protocol_schema(), "$ref": f"#/$defs/{name}"}
    del schema["anyOf"]
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def test_the_document_is_current_and_is_json() -> None:
    """Made anew it is the same; NaN, which is no JSON, does not stand in it."""

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    told = json.loads(DOCUMENT.read_text(encoding="utf-8"), parse_constant=refuse)
    assert told == protocol_schema(), "python -m daemon.schema > docs/protocol.schema.json"
    jsonschema.Draft202012Validator.check_schema(told)


@pytest.mark.parametrize("message", SAID, ids=lambda message: message.topic)
def test_headers_conform_and_damaged_ones_do_not(message: Message) -> None:
    """Of every topic; without any of its fields, or with one of another type, it is none."""
    header = wire.unpack(wire.encode(message, wire.Envelope(1, "r", 1, 1, NOW))[1])
    assert conforms(message.topic, header)
    for field in header:
        assert not conforms(message.topic, {k: v for k, v in header.items() if k != field})
    assert not conforms(message.topic, {**header, "seq": "first"})
    assert {message.topic for message in SAID} == set(TYPES)


REQUESTS = [
    {"schema": 1, "id": 1, "command": "snapshot"},
    {"schema": 1, "id": 1, "command": "planes", "first": 0, "count": 1},
    {"schema": 1, "id": 1, "command": "planes", "first": -1, "count": 1},
    {"schema": 1, "id": 1, "command": "planes", "first": 0, "count": 0},
    {"schema": 1, "id": 1, "command": "arm", "by": "Ada"},
    {"schema": 1, "id": 1, "command": "arm"},
    {"schema": 1, "id": 1, "command": "arm", "by": ""},
    {"schema": 1, "id": 1, "command": "arm", "by": "x" * 81},
    {"schema": 1, "id": "1", "command": "snapshot"},
    {"schema": 1, "id": 1, "command": "dance"},
    {"schema": 1, "id": 1, "command": "latest", "topic": 3},
]


@pytest.mark.parametrize("request_map", REQUESTS, ids=repr)
def test_schema_and_daemon_agree_on_what_is_a_request(request_map: dict[str, object]) -> None:
    """What one takes the other takes."""
    try:
        requests.decode_request(msgspec.msgpack.encode(request_map))
        taken = True
    except WireError:
        taken = False
    assert conforms("request", request_map) == taken


def test_refusals_conform() -> None:
    """The reply that says why not."""
    refused = requests.refused(requests.Snapshot(id=3), WireError("what", where="where", remedy="remedy"))
    header = wire.unpack(refused[0])
    assert conforms("reply", header)
    assert header["error"] == {"what": "what", "where": "where", "remedy": "remedy"}
    assert not conforms("reply", {**header, "ok": math.nan})
