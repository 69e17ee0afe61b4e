"""Copies of images: under the hash of their bytes, as many as are needed, believed only if they are whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import StoreError
from daemon.spool import Spool


def sha256(content: bytes) -> str:
    """As the reader names a file's bytes."""
    return hashlib.sha256(content).hexdigest()


@given(contents=st.sets(st.binary(min_size=1), max_size=6), data=st.data())
def test_what_is_needed_stays_and_nothing_else(contents, data, tmp_path_factory) -> None:
    """Any copies kept, any of them needed: exactly these come back; the folder goes with the last."""
    spool = Spool(tmp_path_factory.mktemp("output") / "spool")
    for content in contents:
        spool.keep(sha256(content), content)
    needed = {content for content in contents if data.draw(st.booleans())}
    spool.keep_only({sha256(content) for content in needed})
    assert {content for content in contents if spool.content(sha256(content)) is not None} == needed
    assert all(spool.content(sha256(content)) == content for content in needed)
    assert spool.folder.exists() == bool(needed)


def test_a_damaged_copy_is_none(tmp_path: Path) -> None:
    """Bytes that do not have the hash of their name are not believed."""
    spool = Spool(tmp_path)
    spool.keep(sha256(b"image"), b"image")
    (tmp_path / sha256(b"image")).write_bytes(b"imag")
    assert spool.content(sha256(b"image")) is None
    assert spool.content(sha256(b"never kept")) is None


def test_half_written_copies_are_removed(tmp_path: Path) -> None:
    """What a killed process left goes with the next clearing."""
    (tmp_path / ".half").write_bytes(b"ima")
    spool = Spool(tmp_path)
    spool.keep(sha256(b"image"), b"image")
    spool.keep_only({sha256(b"image")})
    assert [path.name for path in tmp_path.iterdir()] == [sha256(b"image")]


def test_a_folder_in_the_way_is_said(tmp_path: Path) -> None:
    """A spool that cannot be written is an error of the output, with a remedy."""
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        Spool(tmp_path / "spool").keep(sha256(b"image"), b"image")
