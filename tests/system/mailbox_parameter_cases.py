"""Parameters of local(8) and virtual(8), one for each service: what becomes of a message, the peer says.

The cases of test_mailbox_parameters_peer.py.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

_SENDER: Final = "alice@sender.test"
_TEXT: Final = b"Message-Id: <1@sender.test>\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\nFrom: alice@sender.test\r\n\r\nx\r\n"


class ParameterCase(msgspec.Struct, frozen=True, kw_only=True):
    """A service of master.cf with settings of its own, and a message for it."""

    name: str
    settings: Sequence[str]
    user: str = "bob"  # at NAME.test
    alias: str = ""  # of NAME-list, to which the message goes then
    program: str = "local"
    message: bytes = _TEXT
    sender: str = _SENDER
    parameters: tuple[str, str] = ("", "")
    command: tuple[str, ...] = ()

    @property
    def recipients(self) -> tuple[str, ...]:
        """Addresses."""
        return (f"{f'{self.name}list' if self.alias else self.user}@{self.name}.test",)


def _local(
    name: str, *settings: str, user: str = "bob", alias: str = "", message: bytes = _TEXT
) -> ParameterCase:
    return ParameterCase(name=name, settings=settings, user=user, alias=alias, message=message)


def _virtual(name: str, *settings: str, user: str = "bob") -> ParameterCase:
    return ParameterCase(name=name, settings=settings, user=user, program="virtual")


_OUT: Final = "/var/out"
CASES: Final[tuple[ParameterCase, ...]] = (
    _local("commandsoff", "allow_mail_to_commands=", alias='"|exit 0"'),
    _local("commandsforward", "allow_mail_to_commands=forward", alias='"|exit 0"'),
    _local("filesoff", "allow_mail_to_files=", alias=f"{_OUT}/filesoff"),
    _local("filesforward", "allow_mail_to_files=forward", alias=f"{_OUT}/filesforward"),
    _local("biff", "biff=yes"),
    _local("privileges", "default_privs=daemon", alias=f'"|id >{_OUT}/privileges"'),
    _local("exported", "export_environment=TZ, EXPORTED=yes, PATH=/bin:/usr/bin", alias=f'"|env | grep -v PWD= | grep -v ^_= | grep -v ^MAIL_ | sort >{_OUT}/exported"'),
    _local("forwardpath", "forward_path=/var/nowhere/$user, $home/.other${recipient_delimiter}${extension}, $home/.other", user="bob+x"),
    _local("forwardmacros", "forward_path=/var/forward/$user.$domain.$extension.$local.$shell", user="bob+x"),
    _local("forwardbogus", "forward_path=/var/forward/$bogus, $home/.other"),
    _local("noforward", "forward_path="),
    _local("homembox", "home_mailbox=box/in"),
    _local("homemaildir", "home_mailbox=Other/"),
    _local("homeoutside", "home_mailbox=../bobout"),
    _local("command", f'mailbox_command=echo "$USER $HOME $SHELL $LOGNAME $SENDER $RECIPIENT $EXTENSION $DOMAIN $LOCAL $CLIENT_HOSTNAME $CLIENT_PROTOCOL $ORIGINAL_RECIPIENT" >{_OUT}/command; chmod 644 {_OUT}/command', user="bob+x"),
    _local("commandfails", "mailbox_command=exit 77"),
    _local("commandmaps", "mailbox_command_maps=inline:{{bob=exit 67}}", "mailbox_command=exit 0"),
    _local("commandmapsfail", "mailbox_command_maps=fail:broken"),
    _local("transport", "mailbox_transport=error:5.7.9 moved"),
    _local("transportmaps", "mailbox_transport_maps=inline:{{bob=retry:4.7.9 later}}"),
    _local("transportmapsempty", "mailbox_transport_maps=inline:{{carol=error:}}", "home_mailbox=Maildir/"),
    _local("transportmapsfail", "mailbox_transport_maps=fail:broken"),
    _local("fallback", "fallback_transport=error:5.7.8 fallen", user="nobodyhere"),
    _local("fallbackmaps", "fallback_transport_maps=inline:{{nobodyhere=error:5.7.7 mapped}}", "fallback_transport=error:5.7.8 fallen", user="nobodyhere"),
    _local("fallbackmapsfail", "fallback_transport_maps=fail:broken", user="nobodyhere"),
    _local("luser", "luser_relay=$user+$extension.$domain.$local.$recipient@elsewhere.test", user="nobodyhere+x"),
    _local("luserhome", "luser_relay=x$home.$shell@elsewhere.test", user="nobodyhere"),
    _local("luserextension", "luser_relay=x${extension?e}${extension:n}${recipient_delimiter}@elsewhere.test", user="nobodyhere"),
    _local("luserbogus", "luser_relay=$bogus@elsewhere.test", user="nobodyhere"),
    _local("luseruser", "luser_relay=bob", user="nobodyhere+x"),
    _local("lusercommand", "luser_relay=|exit 77", user="nobodyhere"),
    _local("luserfile", f"luser_relay={_OUT}/luserfile", user="nobodyhere"),
    _local("luserpostmaster", "luser_relay=$user@elsewhere.test", user="postmaster"),
    _local("shell", "local_command_shell=/bin/echo said", alias='"|exit 3"'),
    _local("noshell", "local_command_shell=/no/such/shell -c", alias='"|exit 3"'),
    _local("flock", "mailbox_delivery_lock=flock", "mail_spool_directory=/var/mail"),
    _local("spoolmaildir", "mail_spool_directory=/var/boxes/"),
    _local("nospool", "mail_spool_directory=/var/nowhere"),
    _local("ownerspecial", "owner_request_special=no", "recipient_delimiter=-", user="owner-bob"),
    _local("ownerusual", "recipient_delimiter=-", user="owner-bob"),
    _local("delimiters", "recipient_delimiter=-+", "home_mailbox=Maildir/", user="bob-x+y"),
    _local("nodelimiter", "recipient_delimiter=", user="bob+x"),
    _local("nodelivered", "prepend_delivered_header=", "home_mailbox=nodelivered"),
    _local("deliveredcommand", "prepend_delivered_header=command", f"mailbox_command=cat >{_OUT}/deliveredcommand; chmod 644 {_OUT}/deliveredcommand"),
    _local("propagate", "propagate_unmatched_extensions=", alias="bob"),
    _local("homeless", "require_home_directory=yes", user="homeless"),
    _local("homelessspool", "require_home_directory=no", user="homeless"),
    _local("resetowner", "reset_owner_alias=yes", alias="inner"),
    _local("stale", "stale_lock_time=1s", "deliver_lock_attempts=5", "mail_spool_directory=/var/stale", "mailbox_delivery_lock=dotlock"),
    _local("locked", "deliver_lock_attempts=2", "deliver_lock_delay=1s", "mail_spool_directory=/var/locked", "mailbox_delivery_lock=dotlock"),
    _local("loose", "strict_mailbox_ownership=no", "mail_spool_directory=/var/foreign"),
    _local("strict", "mail_spool_directory=/var/foreign"),
    _local("frozen", "frozen_delivered_to=no", alias="inner", message=b"Delivered-To: inner@frozen.test\r\n" + _TEXT),
    _local("directory", "command_execution_directory=$home", alias=f'"|pwd >{_OUT}/directory"'),
    _local("directoryhome", "command_execution_directory=$home", f"mailbox_command=pwd >{_OUT}/directoryhome; chmod 644 {_OUT}/directoryhome"),
    _local("directorynone", "command_execution_directory=/no/such/$user", "mailbox_command=exit 0"),
    _local("directorybogus", "command_execution_directory=/$bogus", "mailbox_command=exit 0"),
    _local("directoryfilter", "execution_directory_expansion_filter=b", "command_execution_directory=/var/$user", "mailbox_command=pwd; exit 69"),
    _local("filter", "command_expansion_filter=abcdefghij", 'mailbox_command=echo "$SENDER $USER"; exit 69'),
    _local("duplicates", "duplicate_filter_limit=1", "home_mailbox=Maildir/", alias="bob, carol, bob"),
    _local("aliasfail", "alias_maps=fail:broken"),
    _local("aliasmissing", "alias_maps=texthash:/no/such/table"),
    _local("statusfilter", "local_delivery_status_filter=pcre:/etc/postfix/filter", user="nobodyhere"),
    # -- virtual(8)
    _virtual("vstaticuid", "virtual_uid_maps=static:5000"),
    _virtual("vmapsfail", "virtual_mailbox_maps=fail:broken"),
    _virtual("vuidfail", "virtual_uid_maps=fail:broken"),
    _virtual("vgidfail", "virtual_gid_maps=fail:broken"),
    _virtual("vuidword", "virtual_uid_maps=static:abc"),
    _virtual("vgidword", "virtual_gid_maps=static:abc"),
    _virtual("vuidzero", "virtual_uid_maps=static:0"),
    _virtual("vgidzero", "virtual_gid_maps=static:0"),
    _virtual("vnogid", "virtual_gid_maps="),
    _virtual("vnouid", "virtual_uid_maps="),
    _virtual("vminimum", "virtual_minimum_uid=6000"),
    _virtual("vlow", "virtual_minimum_uid=1", "virtual_uid_maps=static:50"),
    _virtual("vnolimit", "virtual_mailbox_limit=0"),
    _virtual("vabsolute", "virtual_mailbox_maps=static:/abs/"),
    _virtual("vup", "virtual_mailbox_maps=static:../up/"),
    _virtual("vslashes", "virtual_mailbox_maps=static:a//b//"),
    _virtual("vdeep", "virtual_mailbox_maps=static:no/such/deep/"),
    _virtual("vdeepbox", "virtual_mailbox_maps=static:nor/such/box"),
    _virtual("vnobase", "virtual_mailbox_base=/var/nobase"),
    _virtual("vextension", "virtual_mailbox_maps=inline:{{bob@vextension.test=plain/}}", user="bob+x"),
    _virtual("vextensionexact", "virtual_mailbox_maps=inline:{{bob@vextensionexact.test=plain/},{bob+x@vextensionexact.test=exact/}}", user="bob+x"),
    _virtual("vdomain", "virtual_mailbox_maps=inline:{{@vdomain.test=all/}}"),
    _virtual("vlock", "virtual_mailbox_maps=static:locked", "virtual_mailbox_lock=dotlock", "deliver_lock_attempts=2", "deliver_lock_delay=1s"),
    _virtual("vloose", "virtual_mailbox_maps=static:foreign", "strict_mailbox_ownership=no"),
    _virtual("vstatusfilter", "virtual_delivery_status_filter=pcre:/etc/postfix/filter", user="nobodyhere"),
)  # fmt: skip

_ROUTES: Final = " ".join(f"{{ {one.name}.test = {one.name}: }}" for one in CASES)
MAIN_CF: Final = f"""\
myhostname = mail.sender.test
recipient_delimiter = +
alias_maps = texthash:/etc/postfix/aliases
maximal_queue_lifetime = 0
smtpd_reject_unlisted_recipient = no
smtpd_recipient_restrictions = permit_mynetworks, reject
mynetworks = 127.0.0.0/8
in_flow_delay = 0
transport_maps = inline:{{ {{ elsewhere.test = discard:there }} {_ROUTES} }}
virtual_mailbox_base = /var/virtual
virtual_mailbox_maps = inline:{{ {" ".join(f"{{ bob@{one.name}.test = {one.name}/ }}" for one in CASES if one.program == "virtual")} }}
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
"""


def _options(case: ParameterCase) -> str:
    unlike = [] if any("home_mailbox" in one for one in case.settings) else ["home_mailbox="]
    settings = [*case.settings, *(unlike if case.program == "local" else [])]
    return " ".join(f"-o {{ {one.replace('=', ' = ', 1)} }}" for one in settings)


SERVICES: Final = "".join(f"{one.name} unix - n n - - {one.program} {_options(one)}\n" for one in CASES)
FILES: Final = {
    "/etc/postfix/aliases": "".join(f"{one.name}list {one.alias}\n" for one in CASES if one.alias)
    + "inner bob, carol@elsewhere.test\nowner-resetownerlist carol\nowner-inner alice\n",
    "/etc/postfix/filter": "/^5.1.1 (.*)/ 4.1.1 not yet: $1\n",
}
SET_UP: Final = """\
set -e
for user in bob carol homeless; do useradd --create-home --shell /bin/sh $user; done
chmod 755 /home/bob
rm -r /home/homeless
echo 'carol@elsewhere.test' >/home/bob/.other
chown bob /home/bob/.other
mkdir -m 1777 /var/out /var/stale /var/locked /var/foreign
mkdir -m 1777 /var/boxes
touch /var/stale/bob.lock /var/locked/bob.lock
touch -d 2020-01-01 /var/stale/bob.lock
touch /var/foreign/bob && chown carol /var/foreign/bob && chmod 666 /var/foreign/bob
mkdir /var/virtual && chown 5000:5000 /var/virtual
touch /var/virtual/locked /var/virtual/locked.lock /var/virtual/foreign
chown 5000:5000 /var/virtual/locked && chmod 666 /var/virtual/foreign
"""
