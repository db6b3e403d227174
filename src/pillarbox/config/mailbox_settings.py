"""Settings of the mailbox half, by Dovecot's names.

DESCRIPTION
    What dovecot.conf will say stands here as typed defaults; `pillarbox run` makes one of these for a first
    start.  A role of the mailbox half gets it as msgpack.
"""

import msgspec


class MailboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """dovecot.conf, as far as it is served."""

    base_dir: str
    """Directory of the half's sockets and pid file."""
    passwd_file: str
    """`passdb { driver = passwd-file }` and the userdb of the same."""
    mail_home: str
    """Below which relative home directories of the passwd-file lie."""
    mail_uid: int
    mail_gid: int
    first_valid_uid: int = 500
    ssl_cert: str = ""
    ssl_key: str = ""
    auth_mechanisms: tuple[str, ...] = ("plain", "login")
    auth_failure_delay: float = 2.0
    disable_plaintext_auth: bool = True
    login_greeting: str = "Pillarbox ready."
    login_trusted_networks: tuple[str, ...] = ()
    mail_max_userip_connections: int = 10
    imap_capability: str = ""
    quota_mail_size: int = 64 * 1024 * 1024
    """Octets of a message that IMAP APPEND takes (RFC 7889).  Dovecot 2.4 has no limit unless this sets one;
    ours is in memory until it is on disk, so that there always is one."""
    hostname: str = "localhost"
    sasl_socket: str = ""
    """`unix_listener` for the MTA: Postfix's private/auth."""
