"""The example in another language: Node follows a run over the real sockets, with keys and without."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.control import ControlServer
from daemon.inbox import Inbox
from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.keys import Role, make_key, open_keys
from daemon.messages import Message, PreviewMessage, RunMessage, ThicknessMessage
from daemon.publish import Publisher
from daemon.records import KEPT

EXAMPLE = Path(__file__).parents[2] / "examples" / "node"
DONE = RunMessage(state=RunState.FINISHED, finish_reason=FinishReason.COMPLETED)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as a user installs it; skipped where there is no Node or no registry."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no Node here")
    folder = tmp_path_factory.mktemp("node") / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm ci does not end: no registry")
    if done.returncode:
        pytest.skip(f"npm ci failed: {done.stderr[-300:]}")
    return folder


@contextmanager
def daemon(
    folder: Path | None, endpoints: tuple[str, str], epoch: int, *recorded: Message
) -> Iterator[Publisher]:
    """A daemon's sockets, behind the keys in ``folder`` if there is one; ``recorded`` before it started."""
    keys = open_keys(str(folder) if folder else "")
    publisher = Publisher(
        run="node",
        epoch=epoch,
        endpoint=endpoints[0],
        now=lambda: datetime.now(UTC),
        keys=keys,
        on_record=KEPT,
        recorded=lambda topic: (message for message in recorded if message.topic == topic),
    )
    server = ControlServer(endpoint=endpoints[1], publisher=publisher, inbox=Inbox(), keys=keys)
    with closing(publisher), closing(server):
        yield publisher


def thickness(index: int) -> ThicknessMessage:
    """A thickness that is told by its index."""
    return ThicknessMessage(index=index, depth_nm=10.0 * index, source=ThicknessSource.RULER)


@pytest.mark.parametrize("locked", [False, True], ids=["plain", "keys"])
def test_node_is_told_every_slice_once_and_in_order(
    example: Path, tmp_path: Path, free_ports: tuple[int, int], locked: bool
) -> None:
    """Snapshot, live, and a restart of the daemon in between: no slice is missing and none comes twice."""
    events, control = (f"tcp://127.0.0.1:{port}" for port in free_ports)
    folder, arguments = None, ["--events", events, "--control", control, "--json"]
    if locked:
        folder = tmp_path / "keys"
        arguments += ["--keys", str(make_key(folder, "node", Role.READ, datetime.now(UTC)))]
    process = subprocess.Popen(
        ["node", "follow.mjs", *arguments], cwd=example, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        with daemon(folder, (events, control), 1) as publisher:
            for index in range(300):
                publisher.publish(thickness(index))
            publisher.publish(PreviewMessage(index=299))
            first = [json.loads(process.stdout.readline()) for _ in range(300)]
            for index in range(300, 600):
                publisher.publish(thickness(index))
            first += [json.loads(process.stdout.readline()) for _ in range(300)]
        with daemon(folder, (events, control), 2, thickness(599)) as publisher:
            publisher.publish(thickness(600))
            publisher.publish(DONE)
            rest, _ = process.communicate(timeout=120)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
    assert [told["slice"] for told in first] == list(range(600))
    second = [json.loads(line) for line in rest.splitlines()]
    assert second == [
        {"slice": 599, "depth_nm": 5990, "seq": 0},
        {"slice": 600, "depth_nm": 6000, "seq": 1},
        {"finished": "COMPLETED"},
    ]
