"""What the smtpd services of one process share, and what stress changes."""

import datetime
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.database_files import FEW
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.smtpd_services import Service, open_services
from pillarbox.net.self_signed import make_self_signed
from pillarbox.vocabulary.clock import ManualClock

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """A listener that other hosts reach: others are never under stress."""
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        yield listener


def opened(settings: dict[str, str], sock: socket.socket, **services: dict[str, str]) -> list[Service]:
    """Services with options of their own, as in master.cf."""
    base = Snapshot.of({"compatibility_level": "3.9", "default_process_limit": "20", **settings})
    snapshots = {name: base.with_overrides(options) for name, options in services.items()}
    sockets = dict.fromkeys(snapshots, sock)
    return open_services(snapshots, snapshots, sockets, rewrite=base, warnings=[], clock=ManualClock())


def times_open(path: Path) -> int:
    """How many descriptors of this process are of a file."""
    found = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{number}") == str(path)
        except FileNotFoundError:  # the listing's own
            continue
    return found


def test_stress_costs_no_files_and_no_certificates(tmp_path: Path, sock: socket.socket) -> None:
    """The tables and the TLS are those of the service; other settings are those under stress."""
    (tmp_path / "map.db").write_bytes(FEW["hash"])
    certificate, key = make_self_signed(tmp_path, host="mx.test", now=NOW)
    settings = {
        "smtpd_client_restrictions": f"check_client_access hash:{tmp_path}/map",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": str(certificate),
        "smtpd_tls_key_file": str(key),
    }
    service, other = opened(settings, sock, smtp={}, other={"smtpd_tls_mandatory_ciphers": "high"})
    strained = service.under_stress
    assert strained is not None
    assert times_open(tmp_path / "map.db") == 1
    assert service.tls_context is not None
    assert strained.tls_context is service.tls_context
    assert other.tls_context is not service.tls_context
    assert [float(one.policy.server.smtpd_timeout) for one in (service, strained)] == [300, 10]


def test_stress_may_change_files_and_certificates(tmp_path: Path, sock: socket.socket) -> None:
    """Where the admin says so."""
    for name in ("quiet", "busy"):
        (tmp_path / f"{name}.db").write_bytes(FEW["hash"])
    certificate, key = make_self_signed(tmp_path, host="mx.test", now=NOW)
    settings = {
        "smtpd_client_restrictions": f"check_client_access hash:{tmp_path}/${{stress?{{busy}}:{{quiet}}}}",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": str(certificate),
        "smtpd_tls_key_file": str(key),
        "smtpd_tls_ciphers": "${stress?{high}:{medium}}",
    }
    (service,) = opened(settings, sock, smtp={})
    assert [times_open(tmp_path / f"{name}.db") for name in ("quiet", "busy")] == [1, 1]
    assert service.under_stress is not None
    assert service.under_stress.tls_context not in (None, service.tls_context)


def test_a_service_of_its_own_may_have_tables_of_its_own(tmp_path: Path, sock: socket.socket) -> None:
    """One that two services name in one line of main.cf is open once, one in a line of master.cf for itself."""
    (tmp_path / "map.db").write_bytes(FEW["hash"])
    table = f"check_client_access hash:{tmp_path}/map"
    settings = {"smtpd_client_restrictions": table, "default_process_limit": "1"}
    services = opened(settings, sock, smtp={}, submission={}, other={"smtpd_client_restrictions": table})
    assert len(services) == 3
    assert times_open(tmp_path / "map.db") == 2


def test_where_mail_goes_is_what_trivial_rewrite_says(sock: socket.socket) -> None:
    """As in Postfix, options of an smtpd service do not change its domains; who is a recipient there, they do."""
    options = {
        "relay_domains": "other.test",
        "myorigin": "other.test",
        "relay_recipient_maps": "inline:{ a@relay.test=x }",
        "recipient_delimiter": "-",
    }
    (service,) = opened({"relay_domains": "relay.test", "myorigin": "origin.test"}, sock, smtp=options)
    routes = service.resolver.routes
    assert (True, False) == (
        routes.relay_domains.holds("relay.test"),
        routes.relay_domains.holds("other.test"),
    )
    assert ("origin.test", "-") == (routes.myorigin, routes.recipient_delimiter)
    assert routes.relay_recipients is not None
    assert routes.relay_recipients[0].query("a@relay.test") == "x"
