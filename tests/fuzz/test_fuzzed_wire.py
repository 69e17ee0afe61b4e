"""A million damaged requests and events: none crashes a parser, none changes the run without a right.

The inputs are mutations of a kept corpus (``corpus/``: real requests and events, and every input that was
ever wrong). ``make test`` takes a short slice, ``make fuzz`` all 10⁶ (SLICEWATCH_FUZZ_INPUTS). A failure
tells its seed (SLICEWATCH_FUZZ_SEED), and its input goes into the corpus and stays there.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zmq

from daemon.access import Peer, require_right
from daemon.client import Client
from daemon.control import ControlServer
from daemon.curve import unlock
from daemon.errors import WireError
from daemon.inbox import Inbox
from daemon.keys import Role, make_key, open_keys, read_client_key
from daemon.publish import Publisher
from daemon.requests import AnyRequest, Command, decode_request
from daemon.wire import decode

CORPUS = Path(__file__).parent / "corpus"
INPUTS = int(os.environ.get("SLICEWATCH_FUZZ_INPUTS", "20000"))
SEED = int(os.environ.get("SLICEWATCH_FUZZ_SEED", "8"))
READER, CONTROLLER = Peer("reader", Role.READ), Peer("controller", Role.CONTROL)
LONGEST = 8192
# MessagePack's markers: nil, maps, arrays, texts and binaries of all widths, the largest numbers, extensions
MARKERS = [
    b"\xc0",
    b"\xc1",
    b"\x80",
    b"\x8f",
    b"\x90",
    b"\xdc\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xde\xff\xff",
]
MARKERS += [b"\xdf\xff\xff\xff\xff", b"\xdb\x7f\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xcf" + b"\xff" * 8]
MARKERS += [
    b"\xd3\x80" + b"\x00" * 7,
    b"\xcb\x7f\xf8" + b"\x00" * 6,
    b"\xd6\xff\xff\xff\xff\xff",
    b"\x81\xa1a" * 40,
]

Change = Callable[[random.Random, bytearray, list[bytes]], None]


def flip(rng: random.Random, data: bytearray, _corpus: list[bytes]) -> None:
    """One bit."""
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def overwrite(rng: random.Random, data: bytearray, _corpus: list[bytes]) -> None:
    """A marker where something else stood."""
    at, marker = rng.randrange(len(data) + 1), rng.choice(MARKERS)
    data[at : at + len(marker)] = marker


def insert(rng: random.Random, data: bytearray, _corpus: list[bytes]) -> None:
    """A few bytes in between."""
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randint(1, 8))


def cut(rng: random.Random, data: bytearray, _corpus: list[bytes]) -> None:
    """A piece out of it."""
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randint(1, 32)]


def repeat(rng: random.Random, data: bytearray, _corpus: list[bytes]) -> None:
    """A piece of it once more."""
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.randint(1, 64)]


def splice(rng: random.Random, data: bytearray, corpus: list[bytes]) -> None:
    """Another input's end."""
    other = rng.choice(corpus)
    data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other) + 1) :]


CHANGES: list[Change] = [flip, flip, overwrite, insert, cut, repeat, splice]


def mutated(corpus: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """The corpus itself, then so many inputs of one to four changes each."""
    yield from corpus
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.randint(1, 4)):
            rng.choice(CHANGES)(rng, data, corpus)
        yield bytes(data[:LONGEST])


def corpus_of(kind: str) -> list[bytes]:
    """The kept inputs of a parser."""
    return [path.read_bytes() for path in sorted(CORPUS.glob(f"{kind}-*.bin"))]


def kept(kind: str, data: bytes) -> str:
    """The name under which an input that failed is kept for ever."""
    path = CORPUS / f"{kind}-found-{hashlib.sha256(data).hexdigest()[:16]}.bin"
    path.write_bytes(data)
    return path.name


def request_or_none(data: bytes) -> AnyRequest | None:
    """What the control socket makes of a frame."""
    try:
        return decode_request(data)
    except WireError:
        return None


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_damaged_requests_crash_nothing_and_command_nothing_without_a_right() -> None:
    """Each is a request within its bounds, or a WireError; a command never passes with a reader's key."""
    commands = 0
    for data in mutated(corpus_of("request"), INPUTS, SEED):
        try:
            request = request_or_none(data)
        except Exception as error:
            raise AssertionError(f"seed {SEED}: {kept('request', data)} raised {error!r}") from error
        if isinstance(request, Command):
            commands += 1
            require_right(CONTROLLER, request)
            with pytest.raises(WireError):
                require_right(READER, request)
            assert 1 <= len(request.by) <= 80, kept("request", data)
            assert len(request.token) <= 64, kept("request", data)
    assert commands > INPUTS // 100, "too few of the inputs are commands: the test shows little"


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_damaged_events_crash_no_client_and_make_no_huge_array() -> None:
    """Each is an event whose arrays fit its bytes, or a WireError."""
    messages = 0
    for data in mutated(corpus_of("event"), INPUTS, SEED):
        topic, _, rest = data.partition(b"\x00\x00")
        header, _, payload = rest.partition(b"\x00\x00\x00\x00")
        try:
            event = decode([topic, header, payload] if payload else [topic, header])
        except WireError:
            continue
        except Exception as error:
            raise AssertionError(f"seed {SEED}: {kept('event', data)} raised {error!r}") from error
        messages += 1
        assert sum(array.nbytes for array in event.message.arrays.values()) <= 256 * 2**20, kept(
            "event", data
        )
    assert messages > 0, "no input is an event any more: the test shows nothing"


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_damaged_requests_over_a_reader_s_connection_change_nothing(tmp_path: Path) -> None:
    """On the real socket, behind real keys: no command gets through, and the next question is answered."""
    key = read_client_key(make_key(tmp_path / "keys", "reader", Role.READ, datetime.now(UTC)))
    keys, inbox, anywhere = open_keys(str(tmp_path / "keys")), Inbox(), "tcp://127.0.0.1:*"
    assert key is not None
    publisher = Publisher(run="r", epoch=1, endpoint=anywhere, now=lambda: datetime.now(UTC), keys=keys)
    server = ControlServer(endpoint=anywhere, publisher=publisher, inbox=inbox, keys=keys)
    with closing(publisher), closing(server), zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.setsockopt(zmq.LINGER, 0)
        unlock(peer, key)
        peer.connect(server.endpoint)
        for data in mutated(corpus_of("request"), INPUTS // 4, SEED):
            peer.send(data)
            while peer.poll(0):
                peer.recv_multipart()
        with Client(publisher.endpoint, server.endpoint, timeout_s=60.0, key=key) as client:
            client.snapshot()
        assert inbox.drain() == []
        assert server.garbage > 0
        assert server.forbidden > 0
