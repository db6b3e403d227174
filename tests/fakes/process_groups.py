"""Which tests stay together in one process when they run in several (pytest-xdist).

DESCRIPTION
    A module has fixtures that start a whole system for all of its tests, some of them once for each mode or
    product.  So a group is a module, and the system's name in the test's parameters.

        test_clients.py::test_swaks[root-TLS]   →   test_clients.py, root

    The system's name is the first parameter: that of the fixture.

    The longest groups are begun first, and those of which nothing is known to be long last: a long one that is begun
    last has to be waited for.

    xdist's own way, `--dist loadgroup`, changes the names of tests, and pytest 9.2 lets nobody do that any more.
"""

import re
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

SYSTEMS: Final = frozenset(
    {"root", "rootless", "original", "pillarbox", "postfix", "exim4", "opensmtpd"}
    | {f"{mta}+{store}" for mta in ("postfix", "pillarbox") for store in ("dovecot", "pillarbox")}
)
"""Values of parameters that a fixture for a whole module is made for."""

LONG: Final = {
    "test_in_place.py": 60,
    "test_policy_services_peer.py": 70,
    "test_mistakes_peer.py": 100,
    "test_in_place_files.py": 50,
    "test_lmtp_dovecot_peer.py": 85,
    "test_local_peer.py": 60,
    "test_lab.py": 60,
    "test_webmail_peer.py": 60,
    "test_lab_notices_peer.py": 60,
    "test_queue_takeover_peer.py": 60,
    "test_tutorial.py": 35,
    "test_postmulti_peer.py": 30,
    "test_tutorial_mailbox.py": 25,
    "test_postmap_peer.py": 50,
    "test_ledger.py": 50,
    "test_session_notices_peer.py": 50,
    "test_killed_at_any_call.py": 45,
    "test_imap_clients.py": 45,
    "test_rewriting_peer.py": 45,
    "test_parking.py": 40,
    "test_outbound_peer.py": 40,
    "test_takeover_peer.py": 40,
    "test_local_submission.py": 40,
    "test_log_readers.py": 35,
    "test_clients.py": 35,
    "test_first_run.py": 35,
    "test_disks.py": 35,
    "test_huge_messages.py": 35,
    "test_bad_input.py": 30,
    "test_imap_replies_peer.py": 30,
    "test_mailbox_half_in_place.py": 30,
    "test_two_hosts.py": 30,
    "test_doveadm_acl_peer.py": 25,
    "test_layouts_peer.py": 25,
    "test_quota_peer.py": 25,
    "test_systemd.py": 25,
    "test_concurrency_peer.py": 20,
    "test_dovecot_lda_peer.py": 20,
    "test_flush_peer.py": 20,
    "test_keyword_hand_back_peer.py": 20,
    "test_mailbox_reload.py": 20,
    "test_mixed_halves.py": 20,
    "test_outbound_relays_peer.py": 20,
    "test_postfix_tls_peer.py": 20,
    "test_real_input.py": 20,
    "test_rights.py": 20,
    "test_stopping.py": 20,
    "test_client_certificates_peer.py": 18,
    "test_namespaces_peer.py": 18,
    "test_acl_peer.py": 18,
    "test_compression_peer.py": 18,
    "test_flow_control.py": 18,
    "test_outbound_tls_peer.py": 17,
    "test_address_verification_peer.py": 16,
    "test_postmaster_notices_peer.py": 16,
    "test_hibernation_peer.py": 15,
}
"""Modules whose groups take long, and seconds that the longest group of each takes by itself."""

_PARAMETERS: Final = re.compile(r"\[([^-\]]*).*\]$", re.DOTALL)


def group(nodeid: str) -> str:
    """The group of a test."""
    found = _PARAMETERS.search(nodeid)
    made_for = [found[1]] if found and found[1] in SYSTEMS else []
    return " ".join([nodeid.partition("::")[0], *made_for])


def seconds(nodeid: str) -> int:
    """How long the group of a test takes, as far as that is known."""
    return LONG.get(nodeid.partition("::")[0].rpartition("/")[2], 0)


def scheduling(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Gives whole groups to processes, in the order of the tests."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group
    return scheduler
