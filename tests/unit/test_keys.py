"""Key files are private, name nobody but their holder, and never show a secret."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zmq

from daemon.errors import ConfigurationError
from daemon.keys import AllowList, Role, listed_keys, make_key, open_keys, read_client_key, revoke_key
from daemon.private_files import MAX_BYTES, read_private, write_private

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
posix = pytest.mark.skipif(os.name != "posix", reason="no file modes")
root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a key for reading and one for control."""
    made = tmp_path / "keys"
    make_key(made, "ada", Role.READ, NOW)
    make_key(made, "bridge", Role.CONTROL, NOW)
    return made


def test_made_keys_are_listed_and_found_by_their_public_key(folder: Path) -> None:
    """Name and role come back; each client knows the daemon by its public key; nobody else is found."""
    keys = listed_keys(folder)
    assert [(key.name, key.role, key.made) for key in keys] == [
        ("ada", Role.READ, NOW),
        ("bridge", Role.CONTROL, NOW),
    ]
    daemon, ada = open_keys(str(folder)), read_client_key(folder / "ada.key")
    assert daemon is not None
    assert ada is not None
    assert ada.daemon == daemon.pair.public
    found = AllowList(folder)
    assert found.find(ada.public) == keys[0]
    assert found.find(daemon.pair.public) is None
    assert found.find("") is None


@posix
def test_every_file_is_for_its_owner_only(folder: Path) -> None:
    """Whatever the umask: folders 0700, files 0600."""
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@posix
@pytest.mark.parametrize("lax", [".", "allowed", "daemon.key", "allowed/ada.toml"])
def test_keys_that_others_may_read_are_refused(folder: Path, lax: str) -> None:
    """A lax mode anywhere keeps the daemon from starting, with the remedy."""
    (folder / lax).chmod(0o750 if (folder / lax).is_dir() else 0o640)
    with pytest.raises(ConfigurationError, match="chmod"):
        open_keys(str(folder))


@posix
def test_a_client_does_not_use_a_key_that_others_may_read(folder: Path) -> None:
    """The client's side asks for the same modes, and follows no link."""
    (folder / "link.key").symlink_to(folder / "ada.key")
    with pytest.raises(ConfigurationError):
        read_client_key(folder / "link.key")
    (folder / "ada.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_client_key(folder / "ada.key")


@root
@pytest.mark.parametrize("given", [".", "allowed", "daemon.key", "allowed/ada.toml"])
def test_what_belongs_to_another_user_is_no_key(folder: Path, given: str) -> None:
    """Whoever owns it can exchange it, whatever its mode."""
    os.chown(folder / given, 12345, 12345)
    with pytest.raises(ConfigurationError, match="another user"):
        open_keys(str(folder))


@posix
@pytest.mark.parametrize("linked", [".", "allowed", "daemon.key", "allowed/ada.toml"])
def test_links_are_not_followed(folder: Path, linked: str) -> None:
    """Neither to the folder nor to anything in it, even if what they lead to is private."""
    there = folder / linked
    there.rename(there.with_name("elsewhere"))
    there.symlink_to(there.with_name("elsewhere"))
    with pytest.raises(ConfigurationError, match="link"):
        open_keys(str(folder))


@posix
@pytest.mark.timeout(10)
def test_a_pipe_is_no_key_and_is_not_waited_for(tmp_path: Path) -> None:
    """Opening one for reading would wait for ever for somebody who writes."""
    os.mkfifo(tmp_path / "ada.key", 0o600)
    with pytest.raises(ConfigurationError, match="plain file"):
        read_client_key(tmp_path / "ada.key")


@pytest.mark.parametrize("taken", ["ada.key", "allowed/ada.toml"])
def test_a_key_that_cannot_be_made_is_not_let_in(tmp_path: Path, taken: str) -> None:
    """Whichever of its two files is in the way, the other one is not left behind."""
    make_key(tmp_path / "keys", "bridge", Role.READ, NOW)
    in_the_way = tmp_path / "keys" / taken
    in_the_way.touch()
    before = {path: path.stat().st_size for path in (tmp_path / "keys").rglob("*")}
    with pytest.raises(ConfigurationError, match="exists"):
        make_key(tmp_path / "keys", "ada", Role.CONTROL, NOW)
    assert {path: path.stat().st_size for path in (tmp_path / "keys").rglob("*")} == before
    in_the_way.unlink()
    assert make_key(tmp_path / "keys", "ada", Role.CONTROL, NOW).exists()


LITTLE_ROOM = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from daemon.errors import ConfigurationError
from daemon.keys import Role, make_key
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
try:
    make_key(Path(sys.argv[1]), "ada", Role.READ, datetime.now(UTC))
except ConfigurationError as error:
    print(error)
"""


@posix
def test_a_disk_without_room_leaves_no_half_of_a_key(tmp_path: Path) -> None:
    """A file that was begun would be in the way of every later try: nothing at all is left."""
    folder = tmp_path / "keys"
    told = subprocess.run(
        [sys.executable, "-c", LITTLE_ROOM, str(folder)], check=True, capture_output=True, text=True
    ).stdout
    assert "cannot be written" in told
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert make_key(folder, "ada", Role.READ, NOW).exists()


@pytest.mark.parametrize(
    "name", ["", "..", "../ada", "a/b", "a\\b", "a b", ".hidden", "x" * 41, "daemon", "ä"]
)
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    """A name that could lead elsewhere makes nothing and revokes nothing."""
    with pytest.raises(ConfigurationError, match="letters"):
        make_key(tmp_path / "keys", name, Role.READ, NOW)
    with pytest.raises(ConfigurationError, match="letters"):
        revoke_key(tmp_path / "keys", name)
    assert not (tmp_path / "keys").exists()


def test_a_key_is_never_overwritten_and_a_revoked_one_is_gone_at_once(folder: Path) -> None:
    """Making a name twice is refused; revoking it is seen by a list that is in use."""
    ada = read_client_key(folder / "ada.key")
    assert ada is not None
    allowed = AllowList(folder)
    assert allowed.find(ada.public) is not None
    with pytest.raises(ConfigurationError, match="exists"):
        make_key(folder, "ada", Role.CONTROL, NOW)
    revoke_key(folder, "ada")
    assert allowed.find(ada.public) is None
    assert not (folder / "ada.key").exists()
    make_key(folder, "ada", Role.READ, NOW)
    assert allowed.find(ada.public) is None
    with pytest.raises(ConfigurationError, match="no key"):
        revoke_key(folder, "grace")


def test_a_damaged_or_copied_entry_lets_nobody_in_and_keeps_nobody_out(folder: Path) -> None:
    """A copy under another name, a role that does not exist and garbage are passed over, the rest works."""
    bridge = read_client_key(folder / "bridge.key")
    ada = read_client_key(folder / "ada.key")
    assert bridge is not None
    assert ada is not None
    text = (folder / "allowed" / "ada.toml").read_text(encoding="utf-8")
    (folder / "allowed" / "ada.toml").unlink()
    write_private(folder / "allowed" / "copy.toml", text)
    write_private(folder / "allowed" / "chief.toml", text.replace("ada", "chief").replace("read", "chief"))
    write_private(folder / "allowed" / "noise.toml", "\x00" * 10)
    write_private(folder / "allowed" / "huge.toml", "#" * (MAX_BYTES + 1))
    allowed = AllowList(folder)
    assert allowed.find(ada.public) is None
    assert allowed.find(bridge.public) is not None
    with pytest.raises(ConfigurationError):
        open_keys(str(folder))


NO_PAIRS = {
    "letters without a value": lambda key: key.replace(key.split('"')[3], "#" * 40),
    "a secret without a value": lambda key: key.replace(key.split('"')[-2], "#" * 40),
    "the secret of another pair": lambda key: key.replace(
        key.split('"')[-2], zmq.curve_keypair()[1].decode("ascii")
    ),
}


@pytest.mark.parametrize("damage", NO_PAIRS)
def test_a_pair_that_is_none_is_refused_at_the_start(folder: Path, damage: str) -> None:
    """All letters may be right and the pair wrong: told with the file's name, and without the secret."""
    path = folder / "daemon.key"
    damaged = NO_PAIRS[damage](path.read_text(encoding="ascii"))
    path.unlink()
    write_private(path, damaged)
    with pytest.raises(ConfigurationError, match="no key file") as caught:
        open_keys(str(folder))
    assert str(path) in str(caught.value)
    assert damaged.split('"')[-2] not in str(caught.value)


NO_TOML = {
    "nested": "name = " + "[" * 3000,
    "a long number": "name = " + "9" * 5000,
    "a date": "made = 2026-13-41",
}


@pytest.mark.parametrize("text", NO_TOML)
def test_an_entry_that_breaks_its_reader_lets_nobody_in_and_keeps_nobody_out(folder: Path, text: str) -> None:
    """Nesting beyond the stack, digits beyond what Python converts: one refused file among good ones."""
    bridge = read_client_key(folder / "bridge.key")
    assert bridge is not None
    write_private(folder / "allowed" / "zzz.toml", NO_TOML[text])
    assert AllowList(folder).find(bridge.public) is not None
    with pytest.raises(ConfigurationError, match="no key file"):
        listed_keys(folder)


def test_a_missing_folder_lets_nobody_in(folder: Path) -> None:
    """A list that can no longer be read is an empty one."""
    ada = read_client_key(folder / "ada.key")
    assert ada is not None
    allowed = AllowList(folder)
    (folder / "allowed").rename(folder / "gone")
    assert allowed.find(ada.public) is None
    with pytest.raises(ConfigurationError):
        open_keys(str(folder / "nowhere"))
    assert open_keys("") is None


def test_no_repr_and_no_error_shows_a_secret(folder: Path, tmp_path: Path) -> None:
    """Neither the records nor the complaint about a damaged file tell the secret."""
    ada = read_client_key(folder / "ada.key")
    daemon = open_keys(str(folder))
    assert ada is not None
    assert daemon is not None
    assert ada.secret not in repr(ada)
    assert daemon.pair.secret not in repr(daemon)
    for damage in (("secret", "sekret"), (ada.secret, ada.secret + "x"), (ada.secret, ada.secret[:-1])):
        broken = tmp_path / "broken.key"
        write_private(broken, (folder / "ada.key").read_text(encoding="utf-8").replace(*damage))
        with pytest.raises(ConfigurationError) as caught:
            read_client_key(broken)
        assert ada.secret[:20] not in str(caught.value)
        broken.unlink()


@posix
def test_a_credential_of_systemd_is_read_though_its_access_list_looks_like_a_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only in the folder that systemd names, and only itself: https://systemd.io/CREDENTIALS."""
    secret = tmp_path / "smtp"
    secret.write_text("hush", encoding="utf-8")
    secret.chmod(0o440)
    with pytest.raises(ConfigurationError, match="others may read it"):
        read_private(secret)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_private(secret) == "hush"
    (tmp_path / "link").symlink_to(secret)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_private(tmp_path / "link")
