"""Accounts, groups and addresses that main.cf names and that this host does not have, or should not give."""

import grp
import pwd
import socket

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.supervisor.host_values import check_host_values
from pillarbox.supervisor.inet_addresses import interface_addresses
from pillarbox.vocabulary.faults import ConfigurationFault

USERS = {"root": (0, 0), "postfix": (105, 105), "nobody": (65534, 65534), "wheel": (70, 0), "twin": (71, 105)}
GROUPS = {"root": 0, "postfix": 105, "postdrop": 106, "nogroup": 65534}


@pytest.fixture(autouse=True)
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The accounts above, and no others."""

    def user(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", *USERS[name], "", "/", "/bin/sh"))

    def group(name: str) -> grp.struct_group:
        return grp.struct_group((name, "x", GROUPS[name], []))

    monkeypatch.setattr(pwd, "getpwnam", user)
    monkeypatch.setattr(grp, "getgrnam", group)


def snapshot(settings: str) -> Snapshot:
    """Settings, `name=value` separated by semicolons."""
    pairs = (item.partition("=") for item in settings.split(";") if item)
    return Snapshot.of({name: value for name, _equals, value in pairs})


def test_the_defaults_are_right() -> None:
    """postfix, postdrop and nobody are three parties."""
    check_host_values(snapshot("inet_interfaces=loopback-only"))


FAULTS = [
    ("mail_owner=nosuch", "parameter mail_owner: unknown user name value: nosuch"),
    ("mail_owner=root", "parameter mail_owner: user root has privileged user ID"),
    ("mail_owner=wheel", "parameter mail_owner: user wheel has privileged group ID"),
    ("setgid_group=nosuch", "parameter setgid_group: unknown group name: nosuch"),
    ("setgid_group=root", "parameter setgid_group: group root has privileged group ID"),
    ("setgid_group=postfix",
     "parameters mail_owner and setgid_group: user postfix and group postfix have the same group ID: 105"),
    ("setgid_group=nogroup",
     "parameters default_privs and setgid_group: user nobody and group nogroup have the same group ID: 65534"),
    ("default_privs=nosuch", "parameter default_privs: unknown user name value: nosuch"),
    ("default_privs=root", "parameter default_privs: user root has privileged user ID"),
    ("default_privs=postfix", "parameters default_privs and mail_owner specify the same user postfix"),
    ("default_privs=twin",
     "parameters default_privs and mail_owner: users twin and postfix have the same group ID: 105"),
    ("inet_protocols=ipv4, ipv5", 'unknown inet_protocols value "ipv5" in "ipv4, ipv5"'),
    ("inet_interfaces=127.0.0.1 192.0.2.77",
     "parameter inet_interfaces: no local interface found for 192.0.2.77"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "what"), FAULTS)
def test_what_is_refused(settings: str, what: str) -> None:
    """The first fault, in Postfix's words."""
    with pytest.raises(ConfigurationFault) as caught:
        check_host_values(snapshot(settings))
    assert what == caught.value.what


@pytest.mark.parametrize(("word", "expected"), [("all", ["0.0.0.0"]), ("loopback-only", ["127.0.0.1"])])
def test_a_host_without_ipv6(word: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without IPv6 has no such sockets; what listens everywhere listens on IPv4 then."""
    real = socket.socket

    def of_ipv4(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, kind)

    monkeypatch.setattr(socket, "socket", of_ipv4)
    assert expected == interface_addresses(snapshot(f"inet_interfaces={word}"))
