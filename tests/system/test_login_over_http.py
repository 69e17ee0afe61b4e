"""The real dashboard behind its password, asked over real HTTP and WebSocket by those who may and may not."""

from __future__ import annotations

import base64
import http.client
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from daemon.monitor.login import FREE_FAILURES
from daemon.passwords import write_password

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
PASSWORD = "correct horse battery"  # noqa: S105 - a test's own


@dataclass(frozen=True)
class Dashboard:
    """A monitor that serves on this port, as seen from an address of this machine; empty: any."""

    port: int
    address: str = ""

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> http.client.HTTPResponse:
        """One request on a connection of its own; the answer is read."""
        named_from = (self.address, 0) if self.address else None
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=named_from)
        ) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            answer.read()
            return answer

    def log_in(self, password: str, **headers: str) -> http.client.HTTPResponse:
        """What the form sends."""
        form = urlencode({"password": password})
        return self.ask("POST", "/login", form, Content_Type="application/x-www-form-urlencoded", **headers)

    def socket_status(self, **headers: str) -> int:
        """The status with which the WebSocket of the pages is opened or refused."""
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
        path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
        return self.ask("GET", path, **upgrade, Sec_WebSocket_Key=key, **headers).status


def monitor(*options: str, output: int = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
    """A monitor of no daemon."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "daemon", "monitor", *options, "--connect", "tcp://127.0.0.1:1"]
    command += ["--events", "tcp://127.0.0.1:2"]
    clean |= {"PYTHONWARNINGS": "ignore", **environment}
    return subprocess.Popen(command, env=clean, stdout=output, text=True)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A monitor with a password; there is no daemon, and none is needed."""
    password = tmp_path_factory.mktemp("login") / "password"
    write_password(password, PASSWORD)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = monitor("--port", str(port), "--password", str(password))
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"dashboard: http://127.0.0.1:{port}\n"
        served = Dashboard(port)
        while process.poll() is None and not _answers(served):
            pass
        yield served
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _answers(dashboard: Dashboard) -> bool:
    try:
        return dashboard.ask("GET", "/login").status == 200
    except ConnectionError:
        return False


def test_any_port_is_a_port_that_is_told() -> None:
    """With --port 0 a free one is taken, and the address that is printed names it."""
    process = monitor("--port", "0")
    try:
        assert process.stdout is not None
        said = re.match(r"dashboard: http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert said is not None
        assert int(said.group(1)) > 0
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_nothing_is_shown_and_nothing_is_told_without_a_login(dashboard: Dashboard) -> None:
    """Pages send to the login, pictures and other paths are refused, and so is the WebSocket."""
    page = dashboard.ask("GET", "/", Accept="text/html")
    assert (page.status, page.headers["Location"]) == (303, "/login")
    for method, path in (
        ("GET", "/picture/1/image/2kV"),
        ("GET", "/_nicegui/x"),
        ("POST", "/"),
        ("GET", "/.."),
    ):
        assert dashboard.ask(method, path).status == 401
    assert dashboard.socket_status() == 403
    assert dashboard.ask("GET", "/login?link=").status == 200, "a link logs in where there is a password"


def test_the_password_opens_a_session_in_a_cookie_that_scripts_and_sites_cannot_use(
    dashboard: Dashboard,
) -> None:
    """HttpOnly and SameSite=Strict; with it the page and its WebSocket open; after the logout they do not."""
    answer = dashboard.log_in(PASSWORD)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    flags = answer.headers["Set-Cookie"]
    assert "HttpOnly" in flags
    assert "SameSite=strict" in flags
    cookie = flags.partition(";")[0]
    assert dashboard.ask("GET", "/", Cookie=cookie).status == 200
    assert dashboard.socket_status(Cookie=cookie) == 101
    assert dashboard.socket_status(Cookie=cookie, Origin="http://evil.example") == 403
    assert dashboard.ask("POST", "/logout", Cookie=cookie, Origin="http://evil.example").status == 403
    assert dashboard.ask("GET", "/", Cookie=cookie).status == 200
    dashboard.ask("POST", "/logout", Cookie=cookie)
    assert dashboard.ask("GET", "/", Cookie=cookie).status == 401


def test_garbage_is_no_password(dashboard: Dashboard) -> None:
    """Wrong forms and endless ones are refused; the right password then still opens."""
    for body in ("", "password=", "password=%ff%fe", "\x00" * 100, "password=" + "x" * 100_000):
        assert dashboard.ask("POST", "/login", body).status == 401
    assert dashboard.log_in(PASSWORD).status == 303


def test_guessing_is_slowed_down(dashboard: Dashboard) -> None:
    """After five wrong ones even the right password has to wait. One of the module's last tests."""
    for _ in range(FREE_FAILURES):
        assert dashboard.log_in("wrong password").status == 401
    statuses = [dashboard.log_in("wrong password").status for _ in range(10)]
    assert 429 in statuses


def test_who_names_another_address_is_slowed_down_all_the_same(dashboard: Dashboard) -> None:
    """A header that a proxy would set is what anyone on this machine can write. After the test above."""
    for number in range(3):
        body = urlencode({"password": "wrong password"})
        forged = {"X_Forwarded_For": f"10.0.0.{number}", "Forwarded": f"for=10.0.0.{number}"}
        assert dashboard.ask("POST", "/login", body, **forged).status == 429


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_who_has_many_addresses_is_slowed_down_all_the_same(dashboard: Dashboard) -> None:
    """Then nobody logs in at once but those who have a session. After the tests above."""
    operator = replace(dashboard, address="127.0.0.2")
    cookie = operator.log_in(PASSWORD).headers["Set-Cookie"].partition(";")[0]
    strangers = [replace(dashboard, address=f"127.0.1.{number}") for number in range(1, 60)]
    assert 429 in [stranger.log_in("wrong password").status for stranger in strangers]
    assert operator.log_in(PASSWORD).status == 429
    assert operator.log_in(PASSWORD, Cookie=cookie).status == 303


UNANSWERABLE = [
    "face/1/labels?step=0",
    "face/1/labels?y=-1",
    "face/1/labels?y=abc",
    f"face/{10**20}/labels",
    "face/-1/labels",
    f"face/1/{'x' * 81}",
    "cut/xy/-1/0?of=5",
    "cut/xy/0/-1?of=5",
    "cut/xy/0/0?of=-5",
]


def test_numbers_that_make_no_request_are_refused_at_once(tmp_path: Path) -> None:
    """They never reach the threads that ask the daemon; nor does anything end in an error of the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with (tmp_path / "output").open("w") as output:
        process = monitor("--port", str(port), output=output.fileno())
        try:
            served = Dashboard(port)
            while process.poll() is None and not _refuses_a_link(served):
                pass
            assert [served.ask("GET", f"/m/0/{path}").status for path in UNANSWERABLE] == [422] * 9
            assert served.ask("GET", "/m/-1/surface/3.stl").status == 422
            assert served.ask("POST", "/login", Origin="http://[").status == 403
            assert served.ask("GET", "/", Host="[::1").status == 403
        finally:
            process.terminate()
            process.wait(timeout=30)
    assert "Traceback" not in (tmp_path / "output").read_text()


def _refuses_a_link(dashboard: Dashboard) -> bool:
    try:
        return dashboard.ask("GET", "/login").status == 403
    except ConnectionError:
        return False


@pytest.mark.parametrize("journal", [True, False])
def test_the_link_to_log_in_by_is_not_written_into_the_journal(journal: bool) -> None:
    """On a terminal it is printed; where systemd keeps the output, only the address is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    ours, its = os.pipe()
    stream = os.fstat(its)
    process = monitor(
        "--port", str(port), output=its, JOURNAL_STREAM=f"{stream.st_dev}:{stream.st_ino + (not journal)}"
    )
    os.close(its)
    try:
        with os.fdopen(ours) as output:
            told = output.readline()
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert told.startswith(f"dashboard: http://127.0.0.1:{port}")
    assert ("link=" in told) is not journal
