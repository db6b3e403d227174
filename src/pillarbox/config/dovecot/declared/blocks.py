"""Blocks of dovecot.conf: namespaces, user databases, services, and what may hold anything."""

from typing import Final

from pillarbox.config.dovecot.declared import access, mailboxes, operation
from pillarbox.config.dovecot.schema import Block, Part, block
from pillarbox.config.treatment import Kind

_MAILBOX: Final = block(
    "mailbox",
    Part(
        Kind.SERVED,
        "",
        """
auto : no|create|subscribe = no
    Make the mailbox at the first login, when a message comes for it, and again when it is deleted; `subscribe` also
    subscribes to it.
special_use : str =
    What it is for: \\Sent, \\Trash (RFC 6154).
autoexpunge : time = 0
    Remove messages that came into it longer ago; when a session of the user ends, and after deliveries, not more
    often than once a minute.
autoexpunge_max_mails : number = 0
    Remove the oldest messages above this number as well; without autoexpunge it does nothing.
""",
    ),
    Part(
        Kind.LATER,
        "it is not served yet",
        """
comment : str =
driver : str =
""",
    ),
)

_NAMESPACE: Final = block(
    "namespace",
    Part(
        Kind.SERVED,
        "",
        """
disabled : bool = no
    The namespace is not there.
hidden : bool = no
    NAMESPACE does not tell of it.
inbox : bool = no
    INBOX is in this one.
list : yes|no|children = yes
    LIST shows its mailboxes.
location : str =
    Where its mail lies, if not in mail_location.
prefix : str =
    What names of its mailboxes begin with.
separator : str =
    Between the levels of a mailbox name: `/` or `.`.
subscriptions : bool = yes
    It keeps its own subscriptions.
type : private|shared|public = private
    Whose mail it is.
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "namespaces are told in the order of their prefixes",
        """
ignore_on_failure : bool = no
order : number = 0
""",
    ),
    blocks=(_MAILBOX,),
    always_shown=frozenset({"location", "prefix"}),
)

_DATABASE: Final = """
args : str =
    The driver's arguments; a word that it does not know ends the start.  Of passdb pam session=yes, setcred=yes,
    failure_show_msg=yes and the service; of passwd-file scheme=, username_format= and the path; of oauth2 the
    path of dovecot-oauth2.conf.ext; of static what is said of each user; of userdb passwd fields that replace those
    of passwd(5).
auth_verbose : default|yes|no = default
    Log why this database refused a login; `default` is what the global auth_verbose says.
default_fields : str =
    Fields that the database may replace: of a passdb allow_nets, nologin, nodelay, user and userdb_x; of a userdb
    uid, gid, home, mail, acl_groups, and what quota and lazy_expunge have in plugin { }.
driver : str =
    Which kind of database it is.
name : str =
    A name for it.
override_fields : str =
    Fields that replace those of the database.
result_failure : continue|continue-ok|continue-fail|return|return-ok|return-fail = continue
    What follows from a refusal.
result_internalfail : continue|continue-ok|continue-fail|return|return-ok|return-fail = continue
    What follows from a database that cannot answer.
result_success : continue|continue-ok|continue-fail|return|return-ok|return-fail = return-ok
    What follows from success.
"""

_PASSDB: Final = block(
    "passdb",
    Part(
        Kind.SERVED,
        "",
        _DATABASE
        + """
deny : bool = no
    Users who are in it are refused.
master : bool = no
    Its users may log in as others: user*master.
mechanisms : str =
    Use it with these mechanisms only.
pass : bool = no
    Go on with the next one after success (of a master user).
skip : never|authenticated|unauthenticated = never
    Do not ask it if the user is (is not) known to be right already.
username_filter : str =
    Use it for these user names only; `!` in front excludes.
""",
    ),
    numbered=True,
)

_USERDB: Final = block(
    "userdb",
    Part(
        Kind.SERVED,
        "",
        _DATABASE
        + """
skip : never|found|notfound = never
    Do not ask it if an earlier one knew (did not know) the user.
""",
    ),
    numbered=True,
)

_INET_LISTENER: Final = block(
    "inet_listener",
    Part(
        Kind.SERVED,
        "",
        """
address : str =
    Addresses to listen on; those of `listen` if empty.
port : port = 0
    The port, of the services imap-login, pop3-login, lmtp, auth and quota-status; 0 switches the listener off.
haproxy : bool = no
    Clients come through a proxy of haproxy_trusted_networks, which says who they are.  Of logins only.
ssl : bool = no
    TLS begins at once.  Of logins only.
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "processes share the listening socket",
        """
reuse_port : bool = no
""",
    ),
)

_FILE: Final = Part(
    Kind.SERVED,
    "",
    """
group : str =
    Group of the socket.
mode : octal = 0600
    Mode of the socket.
user : str =
    Owner of the socket.
""",
)

_SERVICE: Final = block(
    "service",
    Part(
        Kind.SERVED,
        "",
        """
client_limit : number = 0
    Of a login service: default_client_limit of its own.
process_min_avail : number = 0
    Of a login service: how many processes serve it, if more than one for each core are wanted.
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "roles run under the rights of docs/architecture.md, as many as there are cores",
        """
chroot : str =
drop_priv_before_exec : bool = no
executable : str =
extra_groups : str =
group : str =
idle_kill : time = 0
privileged_group : str =
process_limit : number = 0
protocol : str =
service_count : number = 0
type : str =
user : str =
vsz_limit : size = 18446744073709551615 B
""",
    ),
    blocks=(_INET_LISTENER, block("unix_listener", _FILE), block("fifo_listener", _FILE)),
)

ROOT: Final[Block] = block(
    "",
    *access.PARTS,
    *operation.PARTS,
    *mailboxes.PARTS,
    mailboxes.PILLARBOX,
    blocks=(
        _NAMESPACE,
        _PASSDB,
        _USERDB,
        _SERVICE,
        block("plugin", free=True),
        block("dict", free=True),
        block("fts", free=True),
        block("metric", free=True),
        block("event_exporter", free=True),
    ),
)
"""The whole file."""

FILTERS: Final = ("local", "local_name", "remote", "protocol")
"""Blocks that say for whom the settings in them are, in the order in which they may be nested."""
