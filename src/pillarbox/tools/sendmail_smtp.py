"""`sendmail -bs`: SMTP on standard input and output, for programs that would rather talk than make a file.

DESCRIPTION
    The session is smtpd's, of a client that is `localhost[127.0.0.1]`: its replies, limits and log lines.  The
    caller is a local user, so that nothing is asked of tables, restrictions, TLS or logins, as in Postfix's
    smtpd -S; each message goes in by the doors of one that comes as a file.  A recipient that does not exist is
    told by a notice, not by a reply.

STANDARDS
    RFC 5321; Postfix smtpd(8) -S
"""

import asyncio
import os
import select
import ssl
from ipaddress import IPv4Address
from typing import Final

from pillarbox.access.client import ClientFacts
from pillarbox.config.snapshot import Snapshot
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.dns.host_lookup import HostLookup
from pillarbox.net.dns.stub_resolver import StubResolver
from pillarbox.net.system_clock import SystemClock
from pillarbox.net.tls_faults import TlsFault
from pillarbox.observability.events import EventSink
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.resolution import Resolver
from pillarbox.sessions.smtp.policy import configured_policy
from pillarbox.sessions.smtp.session import SmtpSession
from pillarbox.tools.door_submission import DoorSubmission
from pillarbox.tools.system_log import SystemLog

_PIECE: Final = 65536
_WITHOUT_TABLES: Final = """
    smtpd_client_restrictions smtpd_helo_restrictions smtpd_sender_restrictions smtpd_recipient_restrictions
    smtpd_data_restrictions smtpd_end_of_data_restrictions smtpd_etrn_restrictions smtpd_sender_login_maps
    canonical_maps sender_canonical_maps recipient_canonical_maps virtual_alias_maps virtual_alias_domains
    sender_bcc_maps recipient_bcc_maps always_bcc masquerade_domains masquerade_exceptions
    local_header_rewrite_clients content_filter transport_maps relay_domains relocated_maps mydestination
    virtual_mailbox_domains virtual_mailbox_maps local_recipient_maps relay_recipient_maps alias_maps
    sender_dependent_relayhost_maps sender_dependent_default_transport_maps smtpd_dns_reply_filter notify_classes
    fast_flush_domains header_checks mime_header_checks nested_header_checks body_checks permit_mx_backup_networks
""".split()
_SETTINGS: Final = {
    **dict.fromkeys(_WITHOUT_TABLES, ""),
    "smtpd_relay_restrictions": "permit_mynetworks, reject",  # the client is in them
    "smtpd_reject_unlisted_recipient": "no",
    "smtpd_reject_unlisted_sender": "no",
    "smtpd_sasl_auth_enable": "no",
    "smtpd_tls_security_level": "none",
    "smtpd_tls_wrappermode": "no",
    "smtpd_forbid_bare_newline": "no",  # a local program: nobody smuggles anything past anybody
    "smtpd_forbid_unauth_pipelining": "no",
    "smtpd_per_request_deadline": "no",
    "receive_override_options": "no_address_mappings, no_header_body_checks",
}


def serve_standard_input(snapshot: Snapshot) -> int:
    """Speak until QUIT or the end of the input; the exit status.  ConfigurationFault."""
    log = SystemLog(snapshot, program="smtpd", label="sendmail")
    try:
        asyncio.run(_serve(snapshot, log.sink))
    finally:
        log.close()
    return 0


async def _serve(snapshot: Snapshot, tell: EventSink) -> None:
    clock = SystemClock()
    alone = snapshot.with_overrides(_SETTINGS)
    resolver = Resolver(configured_routes(alone, clock=clock), rewrites=True)
    policy = configured_policy(alone, cleanup=alone, service="smtpd", resolver=resolver, clock=clock)
    address = IPv4Address("127.0.0.1")
    client = ClientFacts(
        address=address,
        port=0,
        shows_port=policy.server.smtpd_client_port_logging,
        name="localhost",
        reverse_name="localhost",
        server_address=str(address),
        is_mynetworks=True,
    )
    session = SmtpSession(
        StandardStreams(policy.server.smtpd_timeout),
        client,
        policy=policy,
        queue=None,
        resolver=resolver,
        dns=(dns := StubResolver(clock=clock)),
        hosts=HostLookup(dns, clock=clock, methods=("native",)),
        clock=clock,
        tell=tell,
        queued=lambda queue_id: None,
        submission=lambda rules: DoorSubmission(snapshot, rules),
    )
    await session.run()


class StandardStreams:
    """Standard input and output as a session's transport.

    Reading and writing wait, and the event loop with them: there is nobody else to serve.
    """

    tls: ssl.SSLObject | None = None
    local_address = ("127.0.0.1", 0)
    has_input = False  # whoever writes all of it at once, as a file, is not too early
    is_full = False
    is_quiet = True

    def __init__(self, idle_limit: float) -> None:
        self.idle_limit = idle_limit
        self._is_gone = False

    async def receive(self) -> bytes:
        """What standard input has.  IdleTimeout."""
        return b"" if self._is_gone else self._read()

    async def gather(self, octets: int, mark: bytes = b"") -> bytes:
        """The same: a local program's content comes in one go."""
        return await self.receive()

    def _read(self) -> bytes:
        readable, _, _ = select.select([0], [], [], self.idle_limit)
        if not readable:
            raise IdleTimeout
        try:
            return os.read(0, _PIECE)
        except OSError:
            return b""

    def send(self, data: bytes) -> None:
        """Write all of it; a reader that is gone has closed the session."""
        try:
            while data and not self._is_gone:
                data = data[os.write(1, data) :]
        except OSError:
            self._is_gone = True

    async def drain(self) -> None:
        """Everything has been written."""

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """There is none here."""
        raise TlsFault("standard input has no TLS")

    def close(self) -> None:
        """The process ends soon."""
