"""Settings of the mailbox half's roles: what dovecot.conf comes to.

DESCRIPTION
    `config/dovecot/interpretation.py` makes one `MailboxSettings` of a configuration; a role gets it as msgpack.
    Fields have the names of Dovecot's settings where there is one.  Texts with `%u` and the like are expanded by
    whoever knows the user (`config/dovecot/variables.py`).
"""

import msgspec

from pillarbox.config.connection_rules import ConnectionBlock, ConnectionRules
from pillarbox.config.dovecot.log_formats import DELIVERY_FORMAT, TIMESTAMP, MailboxLines
from pillarbox.config.dovecot.logout_format import IMAP_FORMAT, POP3_FORMAT
from pillarbox.config.mail_log_settings import NOTHING, MailLogSettings
from pillarbox.config.oauth2_settings import OAuth2Settings


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A passdb or userdb block."""

    driver: str
    args: str = ""
    default_fields: str = ""
    override_fields: str = ""
    deny: bool = False
    master: bool = False
    go_on: bool = False  # pass = yes
    skip: str = "never"
    result_success: str = "return-ok"
    result_failure: str = "continue"
    result_internalfail: str = "continue"
    auth_verbose: str = "default"
    mechanisms: tuple[str, ...] = ()
    username_filter: tuple[str, ...] = ()
    oauth2: OAuth2Settings | None = None
    """What the file says that args of driver oauth2 name."""
    where: str = ""
    """The place of its driver in the configuration, for faults."""


class MailboxDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox block of a namespace."""

    name: str
    auto: str = "no"
    """no, create, or subscribe."""
    special_use: tuple[str, ...] = ()
    """`\\Sent` and the like (RFC 6154)."""
    autoexpunge: int = 0
    """Seconds after which messages go; 0: never."""
    autoexpunge_max_mails: int = 0
    """How many messages stay; 0: all."""


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """A tree of mailboxes and what its names begin with; the first is that of the user's own mail."""

    name: str | None = None
    """As its block is called; None if the configuration has no such block."""
    written_location: str = ""
    """As the block has it; empty: mail_location."""
    kind: str = "private"
    """private, public or shared."""
    location: "Storage | None" = None
    """Where it is; None for the user's own mail.  Of shared ones, `%u` and the like are the other user's."""
    prefix: str = ""
    separator: str = ""
    """`/` or `.`; empty for the store's own."""
    inbox: bool = False
    hidden: bool = False
    list: str = "yes"
    subscriptions: bool = True
    mailboxes: tuple[MailboxDefinition, ...] = ()
    """Names without the prefix, `/` between their levels."""


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """mail_location, taken apart."""

    prefixed: bool = False
    """Clients say a prefix before its mailboxes, so that one may be called INBOX in other letters."""
    second_inbox: bool = False
    """Its root is no INBOX besides, and a mailbox in it may be called so."""

    path: str = "~/Maildir"
    """The Maildir, with `~` and %-variables."""
    control: str = ""
    """CONTROL: where uidlists and subscriptions are, if not there."""
    index: str = ""
    """INDEX: where the cache is, if not there."""
    nested: bool = False
    """LAYOUT=fs: `A/B` is the directory A/B, not .A.B."""
    escaping: str = ""
    """listescape_char, if listescape is among mail_plugins: names may have what directories may not."""
    undecided: str = ""
    """The setting itself, if it names no driver: it is a Maildir where there is one, and nothing else is."""


class InetSocket(msgspec.Struct, frozen=True, kw_only=True):
    """inet_listener of a service."""

    name: str
    service: str
    """imap, pop3, lmtp, auth, quota-status, doveadm or doveadm-http."""
    addresses: tuple[str, ...]
    port: int
    tls: bool = False
    is_proxied: bool = False  # haproxy = yes


class UnixSocket(msgspec.Struct, frozen=True, kw_only=True):
    """unix_listener of a service; the path is absolute, owner and group are names or empty."""

    service: str
    """auth-client, auth-login, auth-master, auth-userdb, lmtp, quota-status, doveadm."""
    path: str
    mode: int = 0o600
    user: str = ""
    group: str = ""


class ScriptService(msgspec.Struct, frozen=True, kw_only=True):
    """A service whose executable is `script PROGRAM`."""

    name: str
    command: tuple[str, ...]
    """The program's absolute path, and its first arguments."""
    user: str = ""
    sockets: tuple[UnixSocket, ...] = ()


class MailboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """dovecot.conf, as far as it is served."""

    configuration: str = ""
    """Absolute path of the file."""
    base_dir: str = "/run/dovecot"
    """Directory of the half's sockets and pid file."""
    hostname: str = "localhost"
    protocols: tuple[str, ...] = ("imap", "pop3")
    inet_sockets: tuple[InetSocket, ...] = ()
    unix_sockets: tuple[UnixSocket, ...] = ()
    scripts: tuple[ScriptService, ...] = ()
    login_processes: int = 0
    """How many login processes; 0 for one per core."""
    login_client_limit: int = 1000
    """Clients of one login process that have not logged in; one more, and the oldest has to go."""
    internal_user: str = "dovecot"
    login_user: str = "dovenull"
    log_path: str = "syslog"
    info_log_path: str = ""
    debug_log_path: str = ""
    log_timestamp: str = TIMESTAMP
    log_lines: MailboxLines = MailboxLines()
    syslog_facility: str = "mail"

    passdbs: tuple[Database, ...] = ()
    userdbs: tuple[Database, ...] = ()
    auth_mechanisms: tuple[str, ...] = ("plain",)
    auth_failure_delay: float = 2.0
    auth_penalty: bool = True
    """Whether addresses that try wrong passwords wait longer and longer (anvil-auth-penalty has rights)."""
    auth_anonymous_username: str = "anonymous"
    auth_default_realm: str = ""
    auth_realms: tuple[str, ...] = ()
    auth_master_user_separator: str = ""
    auth_username_chars: str = ""
    auth_username_format: str = "%Lu"
    auth_username_translation: str = ""
    auth_debug: bool = False
    auth_debug_passwords: bool = False
    auth_verbose: bool = False
    auth_verbose_passwords: str = "no"
    auth_worker_max_count: int = 30
    disable_plaintext_auth: bool = True
    login_greeting: str = "Pillarbox ready."
    login_trusted_networks: tuple[str, ...] = ()
    haproxy_trusted_networks: tuple[str, ...] = ()
    haproxy_timeout: float = 3.0
    mail_max_userip_connections: int = 10

    connection_blocks: tuple[ConnectionBlock, ...] = ()
    """What is set otherwise for some connections."""

    ssl: str = "yes"
    ssl_cert: str = ""
    ssl_key: str = ""
    ssl_key_password: str = ""  # if it is encrypted
    ssl_min_protocol: str = "TLSv1.2"
    ssl_cipher_list: str = ""  # OpenSSL's own choice
    ssl_prefer_server_ciphers: bool = False
    ssl_alt_cert: str = ""  # besides ssl_cert, of another kind
    ssl_alt_key: str = ""
    ssl_cipher_suites: str = ""  # of TLS 1.3
    ssl_curve_list: str = ""
    ssl_dh: str = ""  # a file
    ssl_has_tickets: bool = True  # ssl_options without no_ticket
    ssl_verify_client_cert: bool = False
    """Whether clients are asked for certificates."""
    ssl_ca: str = ""
    """The file of those who may have signed them, with their lists of revoked ones."""
    ssl_require_crl: bool = True
    ssl_cert_username_field: str = "commonName"
    auth_ssl_require_client_cert: bool = False
    """Whether nobody gets in without a certificate that was verified."""
    auth_ssl_username_from_cert: bool = False
    """Whether the certificate says who it is, whatever the client says."""

    mail_home: str = ""
    mail_uid: str = ""
    mail_gid: str = ""
    first_valid_uid: int = 500
    last_valid_uid: int = 0
    first_valid_gid: int = 1
    last_valid_gid: int = 0
    storage: Storage = Storage()
    namespaces: tuple[Namespace, ...] = (Namespace(inbox=True),)
    pop3_client_workarounds: tuple[str, ...] = ()
    pop3_delete_type: str = "expunge"
    """expunge or flag"""
    pop3_deleted_flag: str = ""
    """A keyword, with which messages are not there; empty: none."""
    pop3_enable_last: bool = False
    pop3_lock_session: bool = False
    pop3_logout_format: str = POP3_FORMAT
    pop3_no_flag_updates: bool = False
    pop3_reuse_xuidl: bool = False
    pop3_save_uidl: bool = False
    pop3_uidl_duplicates: str = "allow"
    """allow, or rename: the second message with a unique id gets another."""
    pop3_uidl_format: str = "%08Xu%08Xv"
    imap_capability: str = ""
    imap_client_workarounds: tuple[str, ...] = ()
    imap_hibernate_timeout: float = 5.0
    """Seconds that all clients of a worker have been silent when it leaves them to the spawner; 0: it stays."""
    park_after: float = 30.0
    """The same where one is not in IDLE."""
    imap_idle_notify_interval: float = 120.0
    imap_logout_format: str = IMAP_FORMAT
    imap_max_line_length: int = 65536
    imap_id_send: tuple[tuple[str, str | None], ...] = (("name", "Dovecot"),)
    imap_id_log: tuple[str, ...] = ()
    imap_literal_minus: bool = False
    imap_metadata: bool = False
    imap_urlauth_host: str = ""
    """Whose URLs users may make and fetch, `*` for any; empty: none.  Keys are in mail_attribute_dict."""
    imap_urlauth_port: int = 143
    mail_attribute_dict: str = ""
    """Path of the file of a user's annotations, with `~` and %-variables; empty for one in the Maildir."""
    mail_server_admin: str = ""
    mail_server_comment: str = ""
    mail_plugins: dict[str, tuple[str, ...]] = {}
    """By protocol: imap, pop3, lmtp, quota-status."""
    plugin: dict[str, str] = {}
    """The plugin block, variables not expanded."""
    acl_file: str = ""
    """Access lists for all mailboxes (acl = vfile:PATH)."""
    acl_shared_dict: str = ""
    """The file that tells who shares with whom."""
    acl_defaults_from_inbox: bool = False
    """Whether a user's INBOX says who may do what with mailboxes of his that do not say it themselves."""
    acl_anyone: bool = False
    """Whether users may share with everybody."""
    packing: tuple[str, int] | None = None
    """zlib_save and zlib_save_level: how new messages are compressed."""
    search_index: str = "searched"
    """Which mailboxes get an index of their texts: none, all, or those in which bodies have been searched."""
    mail_log: MailLogSettings = NOTHING
    """What mail_log tells of, where mail_plugins has it."""
    quota_mail_size: int = 0
    """Octets of a message that IMAP APPEND takes (RFC 7889); 0: no limit."""

    mail_temp_dir: str = "/tmp"  # noqa: S108 - Dovecot's default; files in it have no name
    mail_location: str = ""
    """As it is written."""
    mail_debug: tuple[str, ...] = ()
    """The protocols whose sessions it is on for."""
    mail_access_groups: tuple[int, ...] = ()
    """Groups that processes of mail users have besides the user's own."""
    recipient_delimiter: str = "+"
    lmtp_save_to_detail_mailbox: bool = False
    lmtp_hdr_delivery_address: str = "final"
    lmtp_add_received_header: bool = True
    lmtp_rcpt_check_quota: bool = False
    lda_mailbox_autocreate: bool = False
    lda_mailbox_autosubscribe: bool = False
    quota_full_tempfail: bool = False
    deliver_log_format: str = DELIVERY_FORMAT

    def connection_rules(self) -> ConnectionRules:
        """What depends on the connection; ask it once."""
        values = {
            "disable_plaintext_auth": "yes" if self.disable_plaintext_auth else "no",
            "login_greeting": self.login_greeting,
            "mail_max_userip_connections": str(self.mail_max_userip_connections),
            "ssl": self.ssl,
            "ssl_cert": self.ssl_cert,
            "ssl_key": self.ssl_key,
        }
        return ConnectionRules(values, self.connection_blocks)

    @classmethod
    def decode(cls, message: bytes) -> "MailboxSettings":
        """Settings that a supervisor handed over, in msgpack."""
        return _DECODER.decode(message)

    def acl_default_of(self, namespace: Namespace) -> str | None:
        """The mailbox whose access list is a namespace's default, empty for its root; None: there is none."""
        if namespace.kind == "public":
            return ""
        return "INBOX" if self.acl_defaults_from_inbox else None

    def mail_log_of(self, protocol: str) -> MailLogSettings:
        """What it tells of sessions of that protocol."""
        return self.mail_log if self.has_plugin("mail_log", protocol) else NOTHING

    def has_plugin(self, name: str, *protocols: str) -> bool:
        """Whether mail_plugins of one of the protocols (none named: any) has it."""
        return any(name in words for key, words in self.mail_plugins.items() if key in (protocols or (key,)))

    def listener_names(self) -> "dict[str, tuple[InetSocket, str]]":
        """Name of each listening TCP socket → what it belongs to, and its address."""
        found: dict[str, tuple[InetSocket, str]] = {}
        for socket in self.inet_sockets:
            for address in socket.addresses:
                name = socket.name if socket.name not in found else f"{socket.name}/{len(found)}"
                found[name] = (socket, address)
        return found


_DECODER = msgspec.msgpack.Decoder(MailboxSettings)
