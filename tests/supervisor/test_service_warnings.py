"""What lines of master.cf say in vain is told; what they say of a part of another program counts."""

from pathlib import Path

import pytest

from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.parameters.logging import Logging
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.reading import Configuration, read_configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.net.startup import AgentService
from pillarbox.supervisor.half import Half
from pillarbox.supervisor.mta_half import mta_half
from pillarbox.supervisor.service_warnings import service_warnings
from pillarbox.vocabulary.faults import ConfigurationFault

STOCK = """\
smtp inet n - y - - smtpd
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - y 1000? 1 tlsmgr
rewrite unix - - y - - trivial-rewrite
bounce unix - - y - 0 bounce
defer unix - - y - 0 bounce
smtp unix - - y - - smtp
  -o syslog_name=postfix/$service_name
local unix - n n - - local
postlog unix-dgram n - n - 1 postlogd
"""


def configuration(directory: Path, *lines: str, main_cf: str = "") -> Configuration:
    """Of these lines of master.cf."""
    (directory / "main.cf").write_text(
        f"queue_directory = {directory}/spool\nmyhostname = mail.example\n{main_cf}"
    )
    (directory / "master.cf").write_text("".join(f"{line}\n" for line in lines))
    return read_configuration(str(directory), facts=HostFacts())


def half(read: Configuration) -> Half:
    """What runs with it."""
    return mta_half(read, mail_owner=None, listen="127.0.0.1", port_offset=2000, status_socket="/none")


def settings_of(read: Configuration, role: str, part: str) -> Snapshot:
    """Those of a part of a role."""
    (found,) = (one for one in half(read).roles if one.name == role)
    return Snapshot.decode(found.snapshots[part])


def test_stock_lines_are_not_warned_of(tmp_path: Path) -> None:
    """They mean here what they mean in Postfix, or nothing that anybody would miss."""
    assert [] == service_warnings(configuration(tmp_path, STOCK))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("smtp unix - - n - - smtpd", "service smtp has no effect: smtpd is served with type inet"),
        ("smtpd pass - - n - - smtpd", "service smtpd has no effect: smtpd is served with type inet"),
        (
            "dnsblog unix - - n - 0 dnsblog",
            "service dnsblog has no effect: only postscreen asks it, which is not served",
        ),
        ("10026 inet n - n - - smtp", "service 10026 has no effect: smtp is served with type unix"),
        ("qmgr unix n - n 300 1 qmgr -v", "-v of service qmgr has no effect: only smtpd, smtp and lmtp log more with it"),
        ("qmgr unix n - n 300 1 qmgr -D", "-D of service qmgr has no effect: no program is started under a debugger"),
        (
            "anvil unix - - n - 1 anvil -o anvil_rate_time_unit=5s -o max_use=7",
            "parameter anvil_rate_time_unit of service anvil has no effect: the work of anvil is done by other programs, "
            "with their settings",
        ),
        (
            "cleanup unix n - n - 0 cleanup -o enable_long_queue_ids=yes",
            "parameter enable_long_queue_ids of service cleanup has no effect: there is one queue; set it in main.cf",
        ),
        (
            "defer unix - - n - 0 bounce -o bounce_size_limit=7",
            "parameter bounce_size_limit of service defer has no effect: all notices have the settings of the service bounce",
        ),
        (
            "other unix - - n - - trivial-rewrite -o swap_bangpath=no",
            "parameter swap_bangpath of service other has no effect: the work of trivial-rewrite is done by other programs, "
            "with their settings",
        ),
    ],
)  # fmt: skip
def test_what_is_in_vain_is_told(line: str, said: str, tmp_path: Path) -> None:
    """One line for each, with its place."""
    assert [f"{tmp_path}/master.cf, line 1: {said}"] == service_warnings(configuration(tmp_path, line))


@pytest.mark.parametrize(
    "line",
    [
        "smtp inet n - n - - smtpd -v",
        "smtp unix - - n - - smtp -vv",
        "qmgr unix n - n 300 1 qmgr -o queue_run_delay=7s",
        "bounce unix - - n - 0 bounce -o bounce_size_limit=7",
        "tlsmgr unix - - n 1000? 1 tlsmgr -o myhostname=mail.example",
    ],
)
def test_what_counts_is_not(line: str, tmp_path: Path) -> None:
    """Nor what changes nothing."""
    assert [] == service_warnings(configuration(tmp_path, line))


def test_notices_of_two_services_may_agree(tmp_path: Path) -> None:
    """bounce and defer with the same option."""
    lines = (f"{name} unix - - n - 0 bounce -o bounce_size_limit=7" for name in ("defer", "bounce"))
    assert [] == service_warnings(configuration(tmp_path, *lines))


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("qmgr unix n - n 300 1 qmgr", "qmgr"),
        ("qmgr unix n - n 300 1 oqmgr", "qmgr"),
        ("rewrite unix - - n - - trivial-rewrite", "rewrite"),
        ("bounce unix - - n - 0 bounce", "bounce"),
        ("verify unix - - n - 1 verify", "verify"),
    ],
)
def test_a_part_has_the_settings_of_its_line(line: str, part: str, tmp_path: Path) -> None:
    """And the others have those of main.cf."""
    read = configuration(tmp_path, f"{line} -o queue_run_delay=7s", main_cf="queue_run_delay = 9s\n")
    for name in ("qmgr", "rewrite", "bounce", "verify"):
        delay = settings_of(read, "qmgr", name).group(QueueManager).queue_run_delay
        assert float(delay) == (7.0 if name == part else 9.0)


def test_verbose_services_debug_all_peers(tmp_path: Path) -> None:
    """-v of smtpd and smtp is as debug_peer_list of everybody."""
    read = configuration(tmp_path, "smtp inet n - n - - smtpd -v", "smtp unix - - n - - smtp -vv")
    level = settings_of(read, "smtpd", "smtp").group(Logging)
    assert (("static:all",), 1) == (level.debug_peer_list.tables, level.debug_peer_level)
    (services,) = (role.services for role in half(read).roles if role.name == "smtp")
    agents: dict[str, AgentService] = {service.name: service for service in services}
    found = {name: Snapshot.decode(agent.snapshot).group(Logging) for name, agent in agents.items()}
    assert (2, ()) == (found["smtp"].debug_peer_level, found["relay"].debug_peer_list.tables)


@pytest.mark.parametrize("program", ["smtpd", "error", "qmgr"])
def test_arguments_of_none_are_refused(program: str, tmp_path: Path) -> None:
    """In Postfix's words: its programs end with them, each in its turn."""
    kind = "inet" if program == "smtpd" else "unix"
    read = configuration(tmp_path, f"7025 {kind} n - n - - {program} -o queue_run_delay=1s nonsense")
    with pytest.raises(
        ConfigurationFault, match=r"master.cf, line 1: unexpected command-line argument: nonsense"
    ):
        half(read)


def test_attributes_that_smtp_does_not_know(tmp_path: Path) -> None:
    """It has flags= and no other."""
    read = configuration(tmp_path, "x unix - - n - - smtp flags=D nonsense")
    with pytest.raises(ConfigurationFault, match=r"master.cf, line 1: unknown attribute name: nonsense"):
        half(read)
