"""Which tests stay together in one process when they run in several (pytest-xdist).

DESCRIPTION
    A module has fixtures that start a whole system for all of its tests, some of them once for each mode or
    product.  So a group is a module, and the system's name in the test's parameters.

        test_clients.py::test_swaks[root-TLS]   →   test_clients.py, root

    The system's name is the first parameter: that of the fixture.

    The longest groups are begun first: a long one that is begun last has to be waited for.

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

SECONDS: Final = {
    "test_oauth2_peer.py": 15,
    "test_snapshots_peer.py": 4,
    "test_second_chances.py": 5,
    "test_command_ends.py": 4,
    "test_forked_runs.py": 3,
    "test_made_passwords_peer.py": 3,
    "test_closed_files_peer.py": 15,
    "test_cyrus_peer.py": 8,
    "test_cleanup_parameters_peer.py": 40,
    "test_queue_parameters_peer.py": 30,
    "test_command_rights_peer.py": 25,
    "test_takeover_peer.py": 120,
    "test_queue_takeover_peer.py": 145,
    "test_quota_rules_peer.py": 70,
    "test_quota_status_peer.py": 9,
    "test_mistakes_peer.py": 90,
    "test_misconfigurations_peer.py": 40,
    "test_nothing_grows.py": 45,
    "test_postmap_peer.py": 80,
    "test_table_servers_peer.py": 25,
    "test_pop3_settings_peer.py": 40,
    "test_monitors_peer.py": 65,
    "test_master_acl_peer.py": 20,
    "test_relaying_mailers_peer.py": 30,
    "test_lab.py": 60,
    "test_ledger.py": 60,
    "test_parking.py": 60,
    "test_rewriting_peer.py": 60,
    "test_ipv6_client_peer.py": 40,
    "test_ipv6_server_peer.py": 30,
    "test_imap_replies_peer.py": 55,
    "test_in_place.py": 55,
    "test_lab_notices_peer.py": 75,
    "test_lmtp_replies_peer.py": 10,
    "test_malformed_imap_peer.py": 10,
    "test_imap_clients_peer.py": 10,
    "test_lmtp_dovecot_peer.py": 55,
    "test_policy_services_peer.py": 55,
    "test_postmulti_peer.py": 55,
    "test_webmail_peer.py": 50,
    "test_imap_clients.py": 45,
    "test_pop3_unique_ids_peer.py": 45,
    "test_waiting_mail_peer.py": 45,
    "test_bad_input.py": 40,
    "test_clients.py": 40,
    "test_compression_peer.py": 40,
    "test_first_run.py": 40,
    "test_huge_messages.py": 40,
    "test_in_place_files.py": 40,
    "test_killed_at_any_call.py": 40,
    "test_local_peer.py": 40,
    "test_log_readers.py": 40,
    "test_old_tls_peer.py": 40,
    "test_session_notices_peer.py": 40,
    "test_tutorial.py": 40,
    "test_disks.py": 35,
    "test_dns_restrictions_peer.py": 16,
    "test_doveadm_acl_peer.py": 35,
    "test_doveadm_files_peer.py": 8,
    "test_doveadm_peer.py": 35,
    "test_outbound_peer.py": 35,
    "test_bounce_causes_peer.py": 35,
    "test_mailbox_parameters_peer.py": 70,
    "test_postcat_peer.py": 35,
    "test_quota_peer.py": 35,
    "test_clogged_queue_peer.py": 30,
    "test_debugged_peers_peer.py": 30,
    "test_delivery_reports_peer.py": 30,
    "test_doveadm_running_peer.py": 30,
    "test_doveadm_service_peer.py": 20,
    "test_doveadm_sync_peer.py": 30,
    "test_layouts_peer.py": 30,
    "test_mailbox_half_in_place.py": 30,
    "test_postfix_tls_peer.py": 30,
    "test_recipient_refills_peer.py": 30,
    "test_doveconf_peer.py": 25,
    "test_local_submission.py": 25,
    "test_login_certificates_peer.py": 25,
    "test_pipe_peer.py": 25,
    "test_systemd.py": 25,
    "test_tutorial_mailbox.py": 25,
    "test_virtual_domains_guide_peer.py": 25,
    "test_acl_peer.py": 28,
    "test_client_workarounds_peer.py": 20,
    "test_commands_meanwhile.py": 20,
    "test_concurrency_peer.py": 20,
    "test_dovecot_lda_peer.py": 20,
    "test_flush_peer.py": 20,
    "test_imap_login_peer.py": 20,
    "test_mixed_load.py": 20,
    "test_odd_paths_peer.py": 20,
    "test_odd_queues_peer.py": 20,
    "test_outbound_relays_peer.py": 20,
    "test_script_libraries_peer.py": 20,
    "test_server_names_peer.py": 20,
    "test_stopping.py": 20,
    "test_two_hosts.py": 20,
    "test_acl_delivery_peer.py": 15,
    "test_address_verification_peer.py": 15,
    "test_connection_blocks_peer.py": 15,
    "test_default_mailboxes_peer.py": 15,
    "test_dovecot_as_client_peer.py": 15,
    "test_flow_control.py": 15,
    "test_keyword_hand_back_peer.py": 15,
    "test_lazy_expunge_peer.py": 10,
    "test_mail_log_peer.py": 15,
    "test_mailbox_reload.py": 15,
    "test_many_mailboxes.py": 15,
    "test_mixed_halves.py": 15,
    "test_namespaces_peer.py": 15,
    "test_outbound_tls_peer.py": 15,
    "test_postmaster_notices_peer.py": 15,
    "test_real_input.py": 15,
    "test_rights.py": 15,
    "test_sendmail_peer.py": 15,
    "test_thunderbird.py": 15,
    "test_amavis_setup_peer.py": 10,
    "test_client_certificates_peer.py": 10,
    "test_client_parameters_peer.py": 40,
    "test_client_tls_parameters_peer.py": 60,
    "test_server_tls_parameters_peer.py": 20,
    "test_failed_handshakes_peer.py": 10,
    "test_hibernation_peer.py": 10,
    "test_proxied_clients_peer.py": 10,
    "test_proxy_filter_peer.py": 9,
    "test_random_outbound_peer.py": 1,
    "test_random_rewriting_peer.py": 10,
    "test_smtp_replies_peer.py": 30,
    "test_supervision.py": 10,
    "test_log_settings_peer.py": 20,
    "test_login_networks_peer.py": 12,
    "test_logout_format_peer.py": 8,
    "test_postconf_peer.py": 8,
    "test_queue_commands_peer.py": 8,
    "test_recipients_one_by_one_peer.py": 8,
    "test_auth_of_a_dovecot.py": 7,
    "test_c_client_peer.py": 7,
    "test_urlauth_peer.py": 7,
    "test_user_databases_peer.py": 12,
    "test_variables_peer.py": 2,
    "test_lost_connections_peer.py": 6,
    "test_python_clients.py": 6,
    "test_sasl_mechanisms_peer.py": 6,
    "test_bounce_templates_peer.py": 5,
    "test_first_look.py": 5,
    "test_killed_between_recipients.py": 5,
    "test_script_commands_peer.py": 5,
    "test_auth_socket.py": 4,
    "test_many_imap_sessions.py": 4,
    "test_rendering_peer.py": 4,
    "test_spawn_peer.py": 4,
    "test_stress_peer.py": 4,
    "test_local_delivery.py": 3,
    "test_readme.py": 3,
    "test_qshape_peer.py": 2,
    "test_lab_peer.py": 1,
    "test_maildir_peer.py": 1,
    "test_metadata_peer.py": 1,
}
"""Of each module, about how many seconds its longest group takes by itself (junit_duration_report=total)."""

_PARAMETERS: Final = re.compile(r"\[([^-\]]*).*\]$", re.DOTALL)


def group(nodeid: str) -> str:
    """The group of a test."""
    found = _PARAMETERS.search(nodeid)
    made_for = [found[1]] if found and found[1] in SYSTEMS else []
    return " ".join([nodeid.partition("::")[0], *made_for])


def seconds(nodeid: str) -> int:
    """How long the group of a test takes; 0 for a module that nobody has measured."""
    return SECONDS.get(nodeid.partition("::")[0].rpartition("/")[2], 0)


def scheduling(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Gives whole groups to processes, in the order of the tests."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group
    return scheduler
