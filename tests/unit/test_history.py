"""The history keeps what late clients need and no more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from daemon import wire
from daemon.history import History
from daemon.items import ThicknessSource
from daemon.messages import Message, MetricsMessage, PreviewMessage, ThicknessMessage

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _thickness(index: int, nm: float) -> ThicknessMessage:
    return ThicknessMessage(  # no field is NaN, so that messages can be compared
        index=index,
        depth_nm=0.0,
        depth_sigma_nm=0.1,
        thickness_nm=nm,
        thickness_sigma_nm=0.1,
        source=ThicknessSource.RULER,
        asv_nm=1.0,
        similarity_nm=9.5,
        taper_nm=0.2,
        taper_sigma_nm=0.1,
    )


def _told(history: History, *messages: Message) -> None:
    for seq, message in enumerate(messages, start=1):
        history.remember(message, seq, wire.encode(message, wire.Envelope(wire.SCHEMA, "r", 1, seq, NOW)))


def _heard(parts: Iterable[wire.Multipart]) -> list[Message]:
    return [wire.decode(p).message for p in parts]


def test_the_last_word_on_a_slice_replaces_the_earlier_ones() -> None:
    """A snapshot holds one thickness per slice, in the order in which they were last told."""
    history = History(capacity=10)
    _told(history, _thickness(0, 9.0), _thickness(1, 8.0), _thickness(0, 9.5))
    assert _heard(history.latest().values()) == [_thickness(1, 8.0), _thickness(0, 9.5)]


def test_replay_is_every_message_from_a_number_on() -> None:
    """Superseded messages are replayed too: a number is never missing."""
    history = History(capacity=10)
    _told(history, _thickness(0, 9.0), _thickness(0, 9.5), _thickness(0, 9.7))
    assert _heard(history.since(2) or []) == [_thickness(0, 9.5), _thickness(0, 9.7)]


def test_forgotten_messages_are_said_to_be_forgotten() -> None:
    """Beyond its capacity a replay is refused, never shortened in silence."""
    history = History(capacity=3)
    _told(history, *(_thickness(i, 1.0) for i in range(8)))
    assert history.since(5) is None
    assert len(history.since(6) or []) == 3
    assert len(history.latest().values()) == 8
    assert History(capacity=3).since(1) is None


def test_only_the_newest_pictures_and_curves_are_kept() -> None:
    """Memory does not grow with the pictures shown: older messages keep their figures, not their arrays."""
    history = History(capacity=100)
    picture = np.random.default_rng(0).integers(0, 255, (400, 400), dtype=np.uint8)
    previews = [PreviewMessage(index=i, arrays={"image/a": picture}) for i in range(20)]
    curves = [MetricsMessage(plane=i, arrays={"tpcf_x": np.ones(90, np.float32)}) for i in range(20)]
    _told(history, *(m for pair in zip(previews, curves, strict=True) for m in pair))
    kept = [wire.decode(parts).message for parts in history.since(1) or []]
    assert [bool(m.arrays) for m in kept] == [False] * 38 + [True, True]
    assert [m.index for m in kept if isinstance(m, PreviewMessage)] == list(range(20))
    latest = [m for m in _heard(history.latest().values()) if isinstance(m, MetricsMessage)]
    assert [bool(m.arrays) for m in latest] == [False] * 19 + [True]


def test_what_is_on_record_is_not_kept_for_ever() -> None:
    """Memory does not grow with the run: last words that the journal has leave with the recent messages."""
    history = History(capacity=5, on_record={"thickness"})
    _told(history, PreviewMessage(index=0), *(_thickness(i, 1.0) for i in range(1000)))
    picture, *kept = _heard(history.latest().values())
    assert isinstance(picture, PreviewMessage)
    assert kept == [_thickness(i, 1.0) for i in range(995, 1000)]


def test_a_newer_word_outlives_the_older_one_that_leaves() -> None:
    """What was told again stays until its last telling is no longer recent."""
    history = History(capacity=3, on_record={"thickness"})
    _told(history, _thickness(0, 9.0), _thickness(1, 1.0), _thickness(0, 9.5), _thickness(2, 1.0))
    assert _heard(history.latest().values()) == [_thickness(1, 1.0), _thickness(0, 9.5), _thickness(2, 1.0)]


def test_the_newest_curves_stay_although_their_figures_are_on_record() -> None:
    """The journal has no arrays: a client that comes during a long pause still gets the last curves."""
    history = History(capacity=2, on_record={"thickness", "metrics"})
    curves = MetricsMessage(plane=7, arrays={"tpcf_x": np.ones(90, np.float32)})
    _told(history, curves, *(_thickness(i, 1.0) for i in range(9)))
    newest, *_ = _heard(history.latest().values())
    assert isinstance(newest, MetricsMessage)
    assert newest.arrays["tpcf_x"].shape == (90,)
    again = MetricsMessage(plane=8, arrays={"tpcf_x": np.ones(90, np.float32)})
    history.remember(again, 11, wire.encode(again, wire.Envelope(wire.SCHEMA, "r", 1, 11, NOW)))
    planes = [m.plane for m in _heard(history.latest().values()) if isinstance(m, MetricsMessage)]
    assert planes == [8]
