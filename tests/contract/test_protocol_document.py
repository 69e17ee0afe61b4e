"""docs/protocol.md is the protocol: every topic, field, command and limit in the code stands in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from daemon import answering, control, publish, requests, wire
from daemon.items import FinishReason, RunState, Status, ThicknessSource
from daemon.messages import TYPES, ChannelDescription, Message, RunMessage

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
CONTRACT_TOPICS = {
    "run",
    "slice",
    "thickness",
    "drift",
    "alarm",
    "planes",
    "metrics",
    "preview",
    "heartbeat",
}
CONTRACT_COMMANDS = {"snapshot", "replay", "planes", "acknowledge", "arm", "disarm", "stop", "abort"}
ENVELOPE_FIELDS = {"schema", "run", "epoch", "seq", "time"}


def section(title: str) -> str:
    """The text under a heading that begins with this."""
    found = re.search(rf"^#+ {re.escape(title)}.*?$(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no section {title!r}"
    return found[1]


def first_cells(text: str) -> set[str]:
    """Names in the first column of the section's table."""
    cells = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_topics_and_commands_are_the_contract() -> None:
    """The topics and commands of the design exist; more commands may."""
    assert set(TYPES) == CONTRACT_TOPICS
    assert {kind.__struct_config__.tag for kind in commands()} >= CONTRACT_COMMANDS


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES.keys())
def test_a_topic_is_documented_field_by_field(kind: type[Message]) -> None:
    """No field is undocumented and none is documented that does not exist."""
    assert first_cells(section(f"`{kind.topic}`")) == set(kind.__struct_fields__) - {"arrays"}


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES.keys())
def test_a_topic_s_fields_leave_the_envelope_alone(kind: type[Message]) -> None:
    """The header is flat: a field named like one of the envelope would overwrite it."""
    assert not set(kind.__struct_fields__) & ENVELOPE_FIELDS


def test_the_envelope_is_documented() -> None:
    """Names of the envelope, and no more."""
    assert first_cells(section("Events")) >= ENVELOPE_FIELDS == set(wire.Envelope.__struct_fields__)


def commands() -> list[type[requests.Request]]:
    """All kinds of request."""
    return list(requests.AnyRequest.__args__)


@pytest.mark.parametrize("kind", commands(), ids=lambda kind: kind.__name__)
def test_a_command_is_documented_with_its_fields(kind: type[requests.Request]) -> None:
    """The row of a command names every field that it takes."""
    rows = [row for row in section("Requests").splitlines() if f"`{kind.__struct_config__.tag}`" in row[:40]]
    assert len(rows) == 1
    for field in set(kind.__struct_fields__) - {"schema", "id"}:
        assert f"`{field}`" in rows[0]


@pytest.mark.parametrize("enumeration", [RunState, FinishReason, Status, ThicknessSource])
def test_every_word_of_an_enumeration_is_documented(enumeration: type) -> None:
    """A reader in another language knows all values."""
    for member in enumeration:  # type: ignore[attr-defined]
        assert f"`{member.value}`" in DOCUMENT


def test_limits_are_the_ones_in_the_code() -> None:
    """Numbers in the text follow the constants."""
    assert f"schema {wire.SCHEMA}" in DOCUMENT
    assert f"{publish.HISTORY_MESSAGES:,}".replace(",", " ") in DOCUMENT
    assert f"{publish.QUEUED_MESSAGES:,}".replace(",", " ") in DOCUMENT
    assert f"{control.MAX_REQUEST_BYTES // 1024} KiB" in DOCUMENT
    assert f"{answering.MAX_BLOCK_BYTES // 2**20} Mi" in DOCUMENT
    assert f"{publish.BOUNDS.unfinished_bytes_each // 1024} KiB of subscriptions" in DOCUMENT
    assert all(f"`{dtype}`" in DOCUMENT for dtype in wire.DTYPES)


def test_a_header_is_readable_without_our_types() -> None:
    """Plain MessagePack of any language reads a header: only maps, lists, text, numbers, booleans and nil."""
    now = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    message = RunMessage(
        state=RunState.WORKING, started_at=now, channels=(ChannelDescription("1kV", 1.0, True),)
    )
    header = msgspec.msgpack.decode(wire.encode(message, wire.Envelope(1, "r", 1, 1, now))[1])
    assert header["time"] == header["started_at"] == "2026-03-01T12:30:00Z"
    assert header["state"] == "working"
    assert header["channels"] == [{"name": "1kV", "voltage_kv": 1.0, "reference": True}]
