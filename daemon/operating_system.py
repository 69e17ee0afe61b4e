"""What differs between operating systems: the one module with a path for POSIX only.

Windows has no group and world bits, no ``flock``, no ``getrusage``, no notification socket, no limit of
descriptors and no count of what a connection received; each function says what it does there.
``docs/how-to/run-as-a-service.md`` tells users.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_M_ARENA_MAX: Final = -8  # malloc.h of glibc
_BYTES_ACKED: Final = 120  # where tcp_info of linux/tcp.h has tcpi_bytes_acked and _received, since Linux 4.1
_DESCRIPTORS: Final = 4096  # both sockets' connections, a few hundred files, and as many again


def is_anothers(found: os.stat_result) -> bool:
    """Whether a file or folder is of another user, root left out; never on Windows, which has no numbers."""
    return sys.platform != "win32" and found.st_uid not in (0, os.geteuid())


def is_open_to_others(found: os.stat_result) -> bool:
    """Whether others than the owner may do anything with it; never on Windows, where access lists decide."""
    return sys.platform != "win32" and bool(found.st_mode & 0o077)


def open_itself(path: Path) -> int:
    """Open a file for reading, by no link and without waiting for the writer of a pipe; the descriptor.

    On Windows links are followed: to make one takes a right that users do not have.
    """
    if sys.platform == "win32":
        return os.open(path, os.O_RDONLY | os.O_BINARY)
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def give_name(file: Path, name: Path) -> None:
    """Give a finished file its name at once, or raise ``FileExistsError`` if that is taken."""
    if sys.platform == "win32":
        file.rename(name)  # which never replaces there
    else:
        name.hardlink_to(file)
        file.unlink()


def has_inotify() -> bool:
    """Whether the system tells of changes in a folder by their kinds, as Linux alone does."""
    return sys.platform == "linux"


def take_lock(descriptor: int) -> bool:
    """Try to lock an open file without waiting; the system lets go of it when the process ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def usable_cores() -> int:
    """How many processor cores this process may run on: a batch system often allows fewer than there are."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_rss_mib() -> float:
    """The largest resident memory of this process so far, MiB."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def share_one_heap() -> None:
    """Let all threads allocate from one heap, where the C library is glibc; call it before there are many.

    glibc gives each thread a heap of its own, and what one thread frees in the heap of another is not given
    back: a daemon of some twenty threads grew by 180 MiB per 1000 slices, most of it free memory, and by 19
    with one heap and tables that grow (``python -m benchmarks soak``, 2 cores, 2026-11-27).
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_ARENA_MAX, 1)


def give_back_freed_memory() -> None:
    """Give the pages of freed memory back to the system, where the C library is glibc.

    It keeps them otherwise, and a heap with holes of all sizes creeps although no more of it is in use.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def seed_the_c_library() -> None:
    """Let ``rand`` of the C library begin where nobody can guess, for those who seed it by the clock.

    A library that brings a C library of its own, as on Windows, is not reached.
    """
    if sys.platform != "win32":
        ctypes.CDLL(None).srand(secrets.randbits(32))


def allow_many_descriptors() -> None:
    """Let this process open as many files and connections as the daemon may need, if the hard limit lets it.

    The usual soft limit of 1024 is for programs that call ``select``. Windows has none.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def start_group(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program with pipes, at the head of a group; on Windows its descendants are the group."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=sys.platform != "win32",
    )


def start_aside(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a program whose standard error is read as text, and which a terminal's Ctrl-C does not reach.

    On Windows it does reach it.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **environment},
        start_new_session=sys.platform != "win32",
    )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program that ``start_group`` started and nobody has waited for, with all that it has started."""
    if sys.platform != "win32":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
    process.kill()


def mount_table() -> str:
    """What is mounted where, as proc(5) has it in ``/proc/self/mountinfo``; empty on other systems."""
    try:
        return Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return ""


def notify(state: str) -> bool:
    """Tell systemd (``READY=1``, ``WATCHDOG=1``, ``STATUS=…``); whether there was anybody to tell.

    The protocol is a datagram to the socket in ``$NOTIFY_SOCKET`` (sd_notify(3)); ``@``: an abstract name.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if sys.platform == "win32" or not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(state.encode(), address)
    except OSError:
        return False
    return True


def output_is_logged() -> bool:
    """Whether systemd's journal keeps what this process prints.

    ``$JOURNAL_STREAM`` alone does not tell, since programs on a terminal inherit it: it names the device and
    inode of the journal's stream (systemd.exec(5)).
    """
    try:
        output = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):  # there is no output
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{output.st_dev}:{output.st_ino}"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who is at the other end of a TCP connection of this process, and what has gone over it, bytes.

    ``received`` came from there, ``acknowledged`` has arrived there, and ``unread`` was sent and has not: its
    kernel takes no more while the program there does not read.
    """

    peer: str
    received: int
    acknowledged: int
    unread: int


def traffic(descriptor: int) -> Traffic | None:
    """What has gone over a connection so far; None if this is none (any more), or not on Linux.

    Looked at without a copy: there are none to be had when they are used up, and that is when to look.
    """
    if sys.platform != "linux":
        return None
    import fcntl
    import termios

    try:
        with _borrowed(descriptor) as connection:
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 16)
            acknowledged, received = struct.unpack_from("=QQ", told, _BYTES_ACKED)
            (unread,) = struct.unpack("=i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
            return Traffic(str(connection.getpeername()), received, acknowledged, unread)
    except (OSError, struct.error):
        return None


def peer_of(descriptor: int) -> str | None:
    """Who is at the other end of a connection; None if this is none (any more)."""
    try:
        with _borrowed(descriptor) as connection:
            return str(connection.getpeername())
    except OSError:
        return None


def hang_up(descriptor: int, peer: str) -> None:
    """End the connection with this peer, if the descriptor is still that; whoever owns it sees it end.

    Through a copy, so that it cannot be closed and become another one in between; where there are no copies,
    because descriptors are used up or on Windows, the moment in between is risked.
    """
    try:
        copy = os.dup(descriptor) if sys.platform != "win32" else None
    except OSError:
        copy = None
    try:
        with _borrowed(descriptor if copy is None else copy) as connection:
            if str(connection.getpeername()) == peer:
                # Else a peer that goes on sending would wait for room, and not hear that it was hung up on.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
    finally:
        if copy is not None:
            os.close(copy)


@contextmanager
def _borrowed(descriptor: int) -> Generator[socket.socket]:
    """A socket on a descriptor that stays open afterwards; ``OSError`` if that is none (any more)."""
    connection = socket.socket(fileno=descriptor)
    try:
        yield connection
    finally:
        connection.detach()
