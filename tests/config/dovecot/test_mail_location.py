"""mail_location without a driver: a Maildir where there is one, and otherwise Dovecot's complaint."""

import os
from pathlib import Path

import pytest

from pillarbox.config.dovecot.mail_location import place_of, storage
from pillarbox.vocabulary.faults import ConfigurationFault


def place(location: str, home: Path) -> str:
    """Where a user's mail is."""
    return place_of(storage(location, where="dovecot.conf"), "", user="me", home=str(home)).path


@pytest.mark.parametrize(
    "location", ["~/Maildir", "auto:~/Maildir", "~/Maildir:INDEX=~/index", "{home}/Maildir"]
)
def test_a_maildir_is_found(location: str, tmp_path: Path) -> None:
    """By its cur."""
    (tmp_path / "Maildir" / "cur").mkdir(parents=True)
    assert place(location.replace("{home}", str(tmp_path)), tmp_path) == str(tmp_path / "Maildir")


@pytest.mark.parametrize(
    ("location", "complaint"),
    [
        (
            "~/%u",
            "Namespace '': Ambiguous mail location setting, don't know what to do with it: ~/me "
            "(try prefixing it with mbox: or maildir:)",
        ),
        (
            "~/mail:INDEX=/x",
            "Namespace '': Ambiguous mail location setting, don't know what to do with it: ~/mail:INDEX=/x "
            "(try prefixing it with mbox: or maildir:)",
        ),
        ("auto:~/mail", "Namespace '': Autodetection failed for auto:~/mail (home={home})"),
    ],
)
def test_what_is_no_maildir_is_not_made_one(location: str, complaint: str, tmp_path: Path) -> None:
    """A file, an empty directory, or nothing."""
    (tmp_path / "me").write_text("From nobody\n")
    (tmp_path / "mail").mkdir()
    with pytest.raises(ConfigurationFault) as fault:
        place(location, tmp_path)
    assert str(fault.value) == complaint.replace("{home}", str(tmp_path))


def test_with_a_driver_it_need_not_be_there_yet(tmp_path: Path) -> None:
    """It is made by the first session."""
    assert place("maildir:~/new", tmp_path) == str(tmp_path / "new")


@pytest.mark.parametrize(
    ("location", "path", "index"),
    [
        ("maildir:%h/Maildir:INDEX=%h/index", "{home}/Maildir", "{home}/index"),
        ("maildir:%{home}/Maildir:INDEX=%{home}/index", "{home}/Maildir", "{home}/index"),
        ("maildir:%Lh/Maildir/:INDEX=%Lh/index/", "{lower}/Maildir", "{lower}/index"),
        ("maildir:%{userdb:disk}/%u:INDEX=%{userdb:disk}", "/mail/me", "/mail"),
        ("maildir:%n/Maildir:INDEX=%{user}", "{home}/me/Maildir", "{home}/me"),
    ],
)
def test_paths_that_begin_with_a_variable(location: str, path: str, index: str, tmp_path: Path) -> None:
    """They lie in the home directory unless the variable says otherwise."""
    home = tmp_path / "Big"
    found = storage(location, where="dovecot.conf")
    where = place_of(found, "", user="me", home=str(home), fields={"disk": "/mail"})
    expected = [text.format(home=home, lower=str(home).lower()) for text in (path, index)]
    assert [where.path, where.index] == expected


@pytest.mark.parametrize(
    "location", ["maildir:%h", "maildir:%Lh/Maildir", "maildir:%{home}/Maildir", "maildir:%n"]
)
def test_without_a_home_there_is_nothing_in_it(location: str) -> None:
    """Least of all at the root of the file system."""
    with pytest.raises(ConfigurationFault, match="no home directory"):
        place_of(storage(location, where="dovecot.conf"), "", user="me", home="")


def test_uid_and_gid_are_numbers(tmp_path: Path) -> None:
    """Those that the userdb says, or of this process: nobody shares a Maildir for want of one."""
    found = storage("maildir:/mail/%{uid}.%i/%{gid}", where="dovecot.conf")
    there = place_of(found, "", user="me", home=str(tmp_path), fields={"uid": "root", "gid": "4242"})
    assert there.path == "/mail/0.0/4242"
    here = place_of(found, "", user="me", home=str(tmp_path))
    assert here.path == f"/mail/{os.getuid()}.{os.getuid()}/{os.getgid()}"


def test_what_only_logins_know_is_in_no_path() -> None:
    """In Dovecot's words."""
    with pytest.raises(ConfigurationFault, match=r"Unknown variable '%{local_name}'"):
        storage("maildir:/mail/%{local_name}", where="dovecot.conf")


def test_colons_of_variables_part_nothing(tmp_path: Path) -> None:
    """A variable with a default, and what the userdb says."""
    found = storage("maildir:~/%{userdb:part:none}/%d:INDEX=~/%{userdb:nothing:index}", where="dovecot.conf")
    where = place_of(found, "", user="me@a.example", home=str(tmp_path), fields={"part": "b"})
    assert (where.path, where.index) == (f"{tmp_path}/b/a.example", f"{tmp_path}/index")


@pytest.mark.parametrize("location", ["maildir:", "maildir::LAYOUT=fs", "auto:"])
def test_a_driver_without_a_place_is_refused(location: str) -> None:
    """Dovecot's words: it has no place of its own to fall back on."""
    with pytest.raises(ConfigurationFault, match="Root mail directory not given"):
        storage(location, where="dovecot.conf")
