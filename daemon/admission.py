"""Does an image belong to the run, and where? Decided by what the image says, never by its folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from daemon.assembly import Disregard, FrameArrived, Refusal
from daemon.assembly_state import AssemblyRules, AssemblyState, ChannelRule, FrameRecord, PendingSlice
from daemon.items import Frame
from daemon.other_projects import is_foreign

_LARGEST_JUMP: Final = 1000
"""A slice number this far ahead is another project's file, not a gap of ten micrometres."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an image is kept out; ``channel`` -1: it could not be told."""

    reason: Refusal
    detail: str
    channel: int = -1


Verdict = FrameRecord | Refused | Disregard


def judge(state: AssemblyState, event: FrameArrived) -> Verdict:
    """The place of an image in the run, or why it has none."""
    frame = event.frame
    if frame.metadata.beam == "ion":
        return Disregard.ION_BEAM
    channel = _channel(state.rules, frame)
    if isinstance(channel, Refused):
        return channel
    known = _already_known(state, frame)
    if known is not None:
        return known
    if is_foreign(state, frame.path):
        return Refused(Refusal.OTHER_PROJECT, "its folder holds another project", channel)
    height, width = frame.image.shape
    if state.shape and state.shape != (height, width):
        detail = f"{height} × {width} px (y × x) in a run of {state.shape[0]} × {state.shape[1]} px"
        return Refused(Refusal.WRONG_SIZE, detail, channel)
    misplaced = _misplaced(state, event, channel)
    if misplaced is not None:
        return misplaced
    return FrameRecord(str(frame.path), frame.sha256, channel, height, width, event.written_ns)


def content_digest(sha256: str) -> int:
    """56 bits of a content hash: 10⁵ files collide with a probability of 10⁻⁷. Never 0."""
    return int(sha256[:14], 16) or 1


def path_digest(path: str) -> int:
    """56 bits that name a path, the same in every process. Never 0."""
    return int.from_bytes(hashlib.blake2b(path.encode(errors="surrogateescape"), digest_size=7).digest()) or 1


def pending_at(state: AssemblyState, index: int) -> PendingSlice | None:
    """The slice that waits at an index."""
    return next((slice_ for slice_ in state.pending if slice_.index == index), None)


def acquired_s(event: FrameArrived) -> float:
    """When the image was taken, s, by the microscope's clock; its file's time if it does not say."""
    moment = event.frame.metadata.acquired_at
    if moment is None:
        return event.written_ns * 1e-9
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def is_taken(state: AssemblyState, index: int, verdict: FrameRecord | Refused) -> bool:
    """Whether the place of an image is held by another file."""
    if isinstance(verdict, Refused):
        return verdict.reason is Refusal.CONFLICT
    slice_ = pending_at(state, index)
    rival = slice_.frame_of(verdict.channel) if slice_ else None
    return rival is not None and rival.path != verdict.path


def is_gap(state: AssemblyState, index: int) -> bool:
    """Whether an index was closed without a slice."""
    if state.first_index is None or not state.first_index <= index < (state.next_index or 0):
        return False
    channels = len(state.rules.channels)
    begin = (index - state.first_index) * channels
    return not any(state.settled[begin : begin + channels])


def _channel(rules: AssemblyRules, frame: Frame) -> int | Refused:
    voltage = frame.metadata.voltage_kv
    if voltage is None and all(rule.voltage_kv for rule in rules.channels):
        return Refused(Refusal.NO_METADATA, "the file does not say at which voltage it was taken")
    near = [pair for pair in enumerate(rules.channels) if _has_voltage(pair[1], voltage, rules)]
    if not near:
        said = "an unknown voltage" if voltage is None else f"{voltage:g} kV"
        wanted = ", ".join(f"{rule.voltage_kv:g}" for rule in rules.channels)
        return Refused(Refusal.WRONG_VOLTAGE, f"{said}, but the channels are {wanted} kV")
    detector = (frame.metadata.detector or "").casefold()
    fitting = [(p, rule) for p, rule in near if rule.detector.casefold() in ("", detector)]
    if not fitting:
        wanted = " or ".join(rule.detector for _, rule in near)
        channel = near[0][0] if len(near) == 1 else -1
        return Refused(Refusal.WRONG_DETECTOR, f"detector {detector or 'unknown'}, not {wanted}", channel)
    return min(fitting, key=lambda item: _strangeness(item[1], voltage))[0]


def _strangeness(rule: ChannelRule, voltage_kv: float | None) -> tuple[float, bool]:
    """How far an image that fits is from what the rule says; one that names the detector is the closer."""
    said = voltage_kv or 0.0
    return abs((rule.voltage_kv or said) - said), not rule.detector


def _has_voltage(rule: ChannelRule, voltage_kv: float | None, rules: AssemblyRules) -> bool:
    """Whether an image at this voltage may be of the channel."""
    if not rule.voltage_kv:
        return True
    return voltage_kv is not None and (
        abs(voltage_kv - rule.voltage_kv) <= rules.voltage_tolerance * rule.voltage_kv
    )


def _already_known(state: AssemblyState, frame: Frame) -> Refused | Disregard | None:
    """The same content came before: from this very path (touched), or under another name."""
    waiting = [(slice_.index, record) for slice_ in state.pending for record in slice_.frames]
    for index, record in (*waiting, *((held.index, held.record) for held in state.suspects)):
        if record.sha256 == frame.sha256:
            return _repeated(record.path == str(frame.path), index)
    digest = content_digest(frame.sha256)
    if digest not in state.settled or state.first_index is None:
        return None
    position = state.settled.index(digest)
    same_path = state.settled_paths[position] == path_digest(str(frame.path))
    return _repeated(same_path, state.first_index + position // len(state.rules.channels))


def _repeated(same_path: bool, index: int) -> Refused | Disregard:
    if same_path:
        return Disregard.UNCHANGED
    return Refused(Refusal.DUPLICATE, f"the same content already came for slice {index}")


def _misplaced(state: AssemblyState, event: FrameArrived, channel: int) -> Refused | None:
    """An index that is already decided, or that cannot belong to this run."""
    index = event.frame.slice_index
    if state.next_index is not None and index < state.next_index:
        return _too_late(state, event, channel)
    ahead = max(state.next_index or 0, *(s.index for s in state.pending), 0)
    known = state.next_index is not None or bool(state.pending)
    if known and index > ahead + _LARGEST_JUMP:
        return Refused(Refusal.UNEXPECTED_INDEX, f"slice {index} when the run is at {ahead}", channel)
    last = state.last_index
    if last is not None and index > last:
        return Refused(Refusal.UNEXPECTED_INDEX, f"the run was to end with slice {last}", channel)
    return None


def _too_late(state: AssemblyState, event: FrameArrived, channel: int) -> Refused:
    index, first = event.frame.slice_index, state.first_index
    if first is None or index < first:
        return Refused(Refusal.LATE, f"the run began with slice {first}", channel)
    position = (index - first) * len(state.rules.channels) + channel
    if not state.settled[position]:
        return Refused(Refusal.LATE, f"slice {index} was already closed as a gap", channel)
    if state.settled_paths[position] == path_digest(str(event.frame.path)):
        return Refused(
            Refusal.OVERWRITTEN, f"slice {index} was already processed with other content", channel
        )
    return Refused(Refusal.CONFLICT, f"slice {index} already has this image from another file", channel)
