"""What differs between operating systems stays in one module; systemd is told what it wants to hear."""

from __future__ import annotations

import ast
import ctypes
import os
import platform
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from daemon.operating_system import hang_up, notify, seed_the_c_library, traffic
from daemon.pulse import beat
from daemon.vitals import Vitals

ROOT = Path(__file__).parents[2]
POSIX_ONLY = {"fcntl", "pwd", "grp", "resource", "termios", "pty", "tty", "syslog", "posix", "crypt"}
POSIX_NAMES = {"fork", "geteuid", "getuid", "chown", "AF_UNIX", "SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2",
               "SIGALRM", "SIGSTOP", "SIGCONT", "alarm", "setitimer", "pthread_kill", "mkfifo", "killpg",
               "getpgid", "setsid", "sched_getaffinity", "statvfs", "fchmod", "fchown", "lchown", "getgid",
               "getegid", "getgroups", "setuid", "setgid", "nice", "uname", "getloadavg", "wait", "WNOHANG",
               "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "getpgrp",
               "setpgid", "posix_fadvise", "fdatasync", "sync"}  # fmt: skip
POSIX_KEYWORDS = {
    "preexec_fn",
    "start_new_session",
    "process_group",
    "pass_fds",
    "dir_fd",
    "add_signal_handler",
}
WHICH_SYSTEM = {("os", "name"), ("sys", "platform"), ("platform", "system"), ("sys", "getwindowsversion")}
POSIX_FOLDERS = ("/proc", "/dev", "/sys", "/run", "/var", "/etc")


FREED = """
import psutil
from daemon.operating_system import give_back_freed_memory

process = psutil.Process()
before = process.memory_info().rss
blocks = [bytes(4000) for _ in range(20_000)]
pinned = blocks.pop()
blocks.clear()
kept = process.memory_info().rss
assert kept - before > 60_000_000, kept - before
give_back_freed_memory()
assert process.memory_info().rss - before < 10_000_000, process.memory_info().rss - before
"""


def uses(tree: ast.AST) -> set[str]:
    """What a module has of POSIX alone: imports, names of os, signal and socket, arguments, folders.

    And whether it asks which system this is: whoever asks has two ways, and they belong into that module.
    """
    return set[str]().union(*map(of_posix, ast.walk(tree)))


def of_posix(node: ast.AST) -> set[str]:
    """What one node has of it."""
    match node:
        case ast.Import():
            return {alias.name.partition(".")[0] for alias in node.names} & POSIX_ONLY
        case ast.ImportFrom():
            named = set[str]().union(*(of_name(node.module or "", alias.name) for alias in node.names))
            return ({(node.module or "").partition(".")[0]} & POSIX_ONLY) | named
        case ast.Attribute(value=ast.Name(id=module)):
            return of_name(module, node.attr)
        case ast.Call(
            func=ast.Name(id="getattr" | "hasattr"),
            args=[ast.Name(id=module), ast.Constant(value=str(name)), *_],
        ):
            return of_name(module, name)
        case ast.keyword():
            return {node.arg or ""} & POSIX_KEYWORDS
        case ast.Constant(value=str(text)) if " " not in text:
            return {text for folder in POSIX_FOLDERS if text == folder or text.startswith(f"{folder}/")}
        case _:
            return set()


def of_name(module: str, name: str) -> set[str]:
    """What a module's name has of it."""
    if (module, name) in WHICH_SYSTEM:
        return {f"{module}.{name}"}
    return {name} & POSIX_NAMES if module in ("os", "signal", "socket") else set()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import fcntl", {"fcntl"}),
        ("from resource import getrusage", {"resource"}),
        ("os.kill(1, signal.SIGKILL)", {"SIGKILL"}),
        ("from signal import SIGKILL", {"SIGKILL"}),
        ("os.statvfs('.')", {"statvfs"}),
        ("subprocess.Popen(command, preexec_fn=limit)", {"preexec_fn"}),
        ("open('/proc/self/status')", {"/proc/self/status"}),
        ('getattr(os, "O_NOFOLLOW", 0)', {"O_NOFOLLOW"}),
        ('hasattr(signal, "SIGHUP")', {"SIGHUP"}),
        ('os.name == "posix"', {"os.name"}),
        ('sys.platform == "linux"', {"sys.platform"}),
        ("from sys import platform", {"sys.platform"}),
        ('platform.system() == "Windows"', {"platform.system"}),
        ("os.kill(1, signal.SIGTERM)", set()),
        ("entry.name, platform.python_version(), getattr(os, name)", set()),
        ("route('/process')", set()),
    ],
)
def test_posix_only_code_is_recognised(line: str, found: set[str]):
    """What the next test looks for, one case each."""
    assert uses(ast.parse(line)) == found


def test_posix_only_code_is_in_one_module():
    """On Windows the daemon imports and runs: nothing else may need POSIX."""
    modules = [
        path for package in ("daemon", "models", "algorithms") for path in (ROOT / package).rglob("*.py")
    ]
    guilty = {
        str(path.relative_to(ROOT)): uses(ast.parse(path.read_text(encoding="utf-8"))) for path in modules
    }
    assert {path for path, names in guilty.items() if names} == {str(Path("daemon") / "operating_system.py")}


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """systemd's end of the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(60.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield channel


def test_systemd_is_told(systemd):
    """One datagram with what was said."""
    assert notify("READY=1\nSTATUS=watching")
    assert systemd.recv(1000) == b"READY=1\nSTATUS=watching"


def test_an_abstract_socket_is_found(monkeypatch):
    """A name that begins with @ lies outside the file system."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0slicewatch-test-{id(channel)}")
        channel.settimeout(60.0)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@slicewatch-test-{id(channel)}")
        assert notify("WATCHDOG=1")
        assert channel.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at all"])
def test_without_systemd_nothing_happens(monkeypatch, address):
    """No socket, or one that nobody listens on."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify("READY=1")


def test_only_progress_feeds_the_watchdog(systemd):
    """Beats a second apart are passed on, those in between are noted once; other threads change nothing."""
    vitals = Vitals(started_at=None)  # type: ignore[arg-type]
    for now_s in (10.0, 10.4, 10.9, 11.0, 13.0):
        beat(vitals, now_s)
    assert vitals.progressed_s == 13.0
    systemd.setblocking(False)
    told = [systemd.recv(100) for _ in range(3)]
    assert told == [b"WATCHDOG=1"] * 3
    threading.Thread(target=lambda: None).start()
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


HEAPS = """
import daemon.__main__, ctypes, threading, sys
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.fopen.restype = ctypes.c_void_p, ctypes.c_void_p
together = threading.Barrier(8)
def allocate():
    together.wait()
    for _ in range(1000):
        libc.malloc(5000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
report = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(report))
libc.fclose(ctypes.c_void_p(report))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives each thread a heap")
def test_all_threads_share_one_heap(tmp_path):
    """Memory that one thread frees is there for all: else a run of days grows with the number of threads."""
    report = tmp_path / "heaps.xml"
    subprocess.run([sys.executable, "-c", HEAPS, str(report)], check=True)
    assert report.read_text().count("<heap nr=") == 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is freed")
def test_freed_memory_goes_back_to_the_system():
    """Also from below what is still in use: one small block at the top of the heap would hold all of it."""
    subprocess.run([sys.executable, "-c", FREED], check=True)


@pytest.mark.skipif(os.name != "posix", reason="descriptors of sockets cannot be copied there")
def test_a_descriptor_that_has_become_a_file_is_no_connection_and_leaves_none_open(tmp_path):
    """libzmq closes connections in a thread of its own, and their numbers are given away again."""
    with (tmp_path / "file").open("w") as file:
        before = len(os.listdir("/proc/self/fd"))
        assert all(traffic(file.fileno()) is None for _ in range(20))
        hang_up(file.fileno(), "nobody")
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(sys.platform == "win32", reason="libraries bring a C library of their own there")
def test_numbers_of_the_c_library_begin_where_the_system_s_randomness_says(monkeypatch):
    """Not where the clock does, which everybody knows."""
    rand = ctypes.CDLL(None).rand
    seed_the_c_library()
    first = [rand() for _ in range(4)]
    seed_the_c_library()
    assert [rand() for _ in range(4)] != first
    monkeypatch.setattr("secrets.randbits", lambda bits: 2**bits - 1)
    told = []
    for _ in range(2):
        seed_the_c_library()
        told.append([rand() for _ in range(4)])
    assert told[0] == told[1]
