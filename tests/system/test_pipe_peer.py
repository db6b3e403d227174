"""pipe(8) of Debian's Postfix and ours: the same lines of master.cf give a program the same arguments and the same input.

Each service has a domain of its own.  The program writes down what it was given; its exit status and what it says are
the message's fate.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec
import pytest

from fakes.host import PACKAGED, Host
from fakes.logs import until_logged
from fakes.mail_system import until
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import MASTER_CF
from fakes.postfix_texts import normal_line, normal_text
from fakes.smtp_submission import SmtpClient

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "unshare"),
]

_GIVEN: Final = "/var/given"
_PROGRAM: Final = """\
#!/bin/sh
service=$1
{
  printf '%s\\n' "$(id -un):$(id -gn)" "$(pwd)" "$(cat /here 2>/dev/null)" "$@"
  printf -- '--\\n'
  cat
} > /var/given/$service.$$
eval "$(cat /etc/postfix/end.$service 2>/dev/null)"
"""
_JAIL: Final = f"""\
for one in /bin /usr /lib /lib64 /etc /dev {_GIVEN}; do mkdir -p /var/jail$one && mount --rbind $one /var/jail$one; done
echo jail > /var/jail/here"""
"""What is mounted into the root directory of some services."""
_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.here.test
mydestination = $myhostname
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
biff = no
maillog_file = /var/log/mail.log
notify_classes =
recipient_delimiter = +
smtpd_reject_unlisted_recipient = no
timed_time_limit = 1s
minimal_backoff_time = 3600s
maximal_backoff_time = 3600s
"""
_ALL: Final = (
    "sender=$sender recipient=$recipient original=$original_recipient user=$user extension=$extension "
    "mailbox=$mailbox domain=$domain nexthop=$nexthop size=$size queue=$queue_id client=$client_address "
    "name=$client_hostname helo=$client_helo protocol=$client_protocol login=${sasl_username} "
    "method=$sasl_method from=$sasl_sender port=$client_port dollar=$$x"
)


class Service(msgspec.Struct, frozen=True):
    """A line of master.cf: options, arguments, and how the program ends."""

    name: str
    options: str = ""
    arguments: str = "$recipient"
    end: str = ""  # of shell
    recipients: tuple[str, ...] = ("Bob+x",)
    sender: str = "Al.Ice@Here.Test"
    limit: str = "20"  # of recipients, for main.cf


SERVICES: Final = (
    Service("plain"),
    Service("all", arguments=_ALL),
    Service("headers", "flags=DORF"),
    Service("dotted", "flags=."),
    Service("fromline", "flags=F>"),
    Service("quoted", "flags=q", "-f $sender $recipient", sender='"a b"@here.test', recipients=('"c d"',)),
    Service("unquoted", "", "-f $sender $recipient", sender='"a b"@here.test', recipients=('"c d"',)),
    Service("folded", "flags=hu", _ALL),
    Service("blank", "flags=B"),
    Service("final", "flags=X"),
    Service("several", arguments="-a $recipient -z ${user}@$nexthop", recipients=("a", "b+c", "d")),
    Service("single", "flags=D", recipients=("a", "b"), limit="1"),
    Service("lines", "eol=\\r\\n"),
    Service("place", "directory=/var/tmp user=daemon:mail"),
    Service("jailed", "chroot=/var/jail"),
    Service("inside", "chroot=/var/jail directory=/var/given"),
    Service("nojail", "chroot=/var/nowhere"),
    Service("null", "null_sender=nobody", "$sender", sender=""),
    Service("nobody", "", "$sender", sender=""),
    Service("empty", "null_sender=", "-f $sender -", sender=""),
    Service("small", "size=10"),
    Service("busy", end="echo try again later; exit 75"),
    Service("nouser", end="echo no such user >&2; exit 67"),
    Service("failed", end="exit 1"),
    Service("coded", end="echo 4.2.2 mailbox full; exit 69"),
    Service("permanent", end="echo 5.7.1 not from you; exit 77"),
    Service("killed", end="kill -9 $$"),
    Service("silent", end="exit 68"),
    Service("wordy", end="echo one; echo two; exit 70"),
    Service("looped", "flags=D"),
    Service("braces", "", "{ one  two } {$user at $domain} $(mailbox) ${nexthop}x $$HOME {} '$user' last"),
    Service("maildrop", "flags=DRXhu", "-d ${recipient}"),
    Service("mailman", "flags=FRX", "${nexthop} ${user}", recipients=("list-bounces+Al.Ice=Here.Test",)),
    Service(
        "uucp", "flags=Fqhu", "-r -n -z -a$sender - $nexthop!rmail ($recipient)", recipients=("A+b", '"c d"')
    ),
    Service("ifmail", "flags=F", "-r $nexthop ($recipient)", sender=""),
    Service("bsmtp", "flags=Fq.", "-t$nexthop -f$sender $recipient", recipients=("a", "b"), sender=""),
    Service("scalemail", "flags=R", "${nexthop} ${user} ${extension}", recipients=("+e", "a+b+c", "d")),
    Service("dovecot", "flags=DRhu", "-f ${sender} -a ${original_recipient} -d ${user}@${domain}", sender=""),
    Service("cyrus", "flags=R", '-e -m "${extension}" ${user}'),
    Service("spamd", "", "-f -e /usr/sbin/sendmail -oi -f ${sender} ${recipient}", recipients=("a", "b")),
    Service("nullhead", "flags=FR null_sender=nobody", sender=""),
    Service("emptyhead", "flags=FR null_sender=", sender=""),
    Service("ident", "", "$sender ${client_address} ${sasl_method}x ${size}", recipients=("a",)),
    *(
        Service(f"exit{code}", end=f"exit {code}")
        for code in (2, 64, 65, 66, 71, 72, 73, 74, 76, 78, 79, 126, 127)
    ),
    Service("hardsoft", end="echo 5.2.2 hard; exit 75"),
    Service("softhard", end="echo 4.2.2 soft; exit 67"),
    Service("good", end="echo 2.0.0 good; exit 69"),
    Service("only", end="echo 5.2.1; exit 69"),
    Service("said", end="echo all is well"),
    Service("warned", end="echo all is well >&2; exit 0"),
    Service("term", end="kill -TERM $$"),
    Service("binary", end="printf 'a\\001b\\377c\\td'; exit 69"),
    Service("long", end="head -c 500 /dev/zero | tr '\\0' x; exit 69"),
    Service("blankline", end="printf '\\n\\nsecond\\n'; exit 69"),
    Service(
        "everyflag",
        "flags=BDFORXhqu.>",
        "-f $sender $recipient $nexthop",
        recipients=('"A b+X"',),
        sender='"c D"@Here.Test',
    ),
    Service(
        "foldquote",
        "flags=hqu",
        "$recipient $original_recipient $user $extension $mailbox $domain $nexthop $sender",
        recipients=('"A b+X"',),
        sender='"c D"@Here.Test',
    ),
    Service("foldhost", "flags=h", "$recipient $original_recipient $user $domain $nexthop $mailbox"),
    Service(
        "folduser", "flags=u", "$recipient $original_recipient $user $extension $domain $nexthop $mailbox"
    ),
    Service("finals", "flags=X", recipients=("a", "b")),
    Service("nullquoted", "flags=q {null_sender=no body}", "$sender", sender=""),
    Service("nullparentheses", "flags=qFR null_sender=no(body", "$sender", sender=""),
    Service("nullemptyquoted", "flags=q null_sender=", "$sender end", sender=""),
    Service("nullunused", "flags=FR null_sender=nobody", "$sender"),
    Service("eoltab", "eol=\\t"),
    Service("eolnothing", "eol="),
    Service("eoloctal", "flags=.>B eol=\\015\\012"),
    Service("eolletters", "flags=DFOR eol=-x-"),
    Service("eolbackslash", "eol=\\\\n"),
    Service("sizezero", "size=0"),
    Service("sizelarge", "size=1000000"),
    Service("directoryrelative", "directory=pid"),
    Service("groupother", "user=nobody:daemon"),
    Service("userdaemon", "user=daemon"),
    Service(
        "macrosjoined",
        "",
        "${recipient}x${user} $recipient.$domain $(recipient)$$ a$sender$nexthop $extension",
    ),
    Service("argumentscommas", "", "a,b , $user,$domain ,"),
    Service("argumentsquotes", "", "\"a b\" 'c d' \\x"),
    Service("argumentsbraces", "", "{} { } { a,  b } {{x} y} {$user} {$domain}", recipients=("a",)),
    Service("argumentsempty", "", "$extension x $sasl_username y", recipients=("bob",)),
    Service(
        "argumentsseveral",
        "",
        "$recipient:$user - $nexthop {$mailbox at $domain}",
        recipients=("a+x", "b", "a+y"),
    ),
    Service("argumentsequals", "", "user=$user flags=x argv=y -o z"),
    Service(
        "delimiterother",
        "-o recipient_delimiter=- user=nobody",
        "$user/$extension/$mailbox",
        recipients=("a-b+c", "a+b"),
    ),
    Service(
        "delimiternone",
        "-o recipient_delimiter= user=nobody",
        "$user/$extension/$mailbox",
        recipients=("a-b+c",),
    ),
    Service(
        "ownerspecial",
        "-o recipient_delimiter=- user=nobody",
        "$user/$extension",
        recipients=("owner-x", "x-request"),
    ),
    Service(
        "ownerusual",
        "-o recipient_delimiter=- -o owner_request_special=no user=nobody",
        "$user/$extension",
        recipients=("owner-x", "x-request"),
    ),
    Service("filterhard", "-o pipe_delivery_status_filter=static:{5.7.7 never} user=nobody", end="exit 75"),
    Service("filtersoft", "-o pipe_delivery_status_filter=static:{4.7.7 later} user=nobody", end="exit 69"),
    Service("filtersent", "-o pipe_delivery_status_filter=static:{2.0.9 done} user=nobody"),
    Service("filterbad", "-o pipe_delivery_status_filter=static:{5.0.0 no} user=nobody"),
    Service("filternonsense", "-o pipe_delivery_status_filter=static:nonsense user=nobody", end="exit 69"),
    Service(
        "environment",
        "-o { export_environment = TZ, A=b, { C = d e }, PATH=/x, HOME=/h } user=nobody",
        end="env | grep -v -e ^PWD= -e ^_= -e MAIL_CONFIG -e OLDPWD | sort; exit 69",
    ),
    Service("original", "-o enable_original_recipient=no flags=O user=nobody", "$original_recipient"),
    Service("readsnothing", end="exit 0"),
    Service("errorfirst", end="echo one >&2; echo two; exit 69"),
    Service("sentcode", end="echo 2.1.5 fine"),
    Service("sentlong", end="head -c 3000 /dev/zero | tr '\\0' x"),
    Service("sentlines", end="printf 'a\\n\\nb\\n\\n'"),
    Service("codelate", end="echo x 5.1.1 y; exit 75"),
    Service("codebad", end="echo 5.1.1x y; exit 75"),
    Service("codelarge", end="echo 5.1000.1 y; exit 75"),
    Service("codesix", end="echo 6.1.1 y; exit 69"),
    Service("stopped", end="kill -USR1 $$"),
    Service("dumped", end="kill -SEGV $$"),
    Service("exit255", end="exit 255"),
    Service("exit63", end="exit 63"),
    Service("closing", end="exec >/dev/null 2>&1; exit 69"),
    Service("timed", end="echo started; exec sleep 100"),
    Service("sequence", "flags=R>", "$queue_id", recipients=("a",)),
)

NO_USER: Final = Service("absent", "user=no-such-user")
"""As those of the stock master.cf are on most hosts."""
ALL_SERVICES: Final = (*SERVICES, NO_USER)


class World:
    """Both hosts."""

    def __init__(self) -> None:
        self.hosts = [self._host(PACKAGED), self._host(INSTALLED)]

    def _host(self, path: str) -> Host:
        host = Host("mail.here.test", path=path)
        if path == PACKAGED:
            host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf")
        else:
            install(host)
        routes = " ".join(f"{{ {one.name}.test = {one.name}:Hop.Example }}" for one in ALL_SERVICES)
        limits = "".join(f"{one.name}_destination_recipient_limit = {one.limit}\n" for one in ALL_SERVICES)
        host.write("/etc/postfix/main.cf", f"{_MAIN_CF}transport_maps = inline:{{ {routes} }}\n{limits}")
        lines = "".join(
            f"{one.name} unix - n n - - pipe\n  {'' if 'user=' in one.options else 'user=nobody '}{one.options} "
            f"argv=/usr/local/bin/given {one.name} {one.arguments}\n"
            for one in ALL_SERVICES
        )
        host.write("/etc/postfix/master.cf", MASTER_CF + lines)
        host.write("/usr/local/bin/given", _PROGRAM, mode=0o755)
        host.output(f"mkdir -m 1777 {_GIVEN}")
        host.output(_JAIL)
        for one in SERVICES:
            host.write(f"/etc/postfix/end.{one.name}", one.end + "\n")
        if path == PACKAGED:
            host.output("/usr/lib/postfix/configure-instance.sh -")
        host.start_postfix()
        host.until_answers(25)
        return host

    def end(self) -> None:
        """Everything goes."""
        for host in self.hosts:
            host.end()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Once for all services."""
    made = World()
    try:
        yield made
    finally:
        made.end()


def submit(host: Host) -> None:
    """A message for each service."""
    message = b"Subject: x\r\nReceived: by old\r\nDelivered-To: BOB+x@looped.test\r\n\r\nFrom me\r\n>From you\r\n.dot\r\n..dots\r\nlast\r\n"
    with SmtpClient(host) as client:
        for service in SERVICES:
            recipients = [f"{name}@{service.name.title()}.test" for name in service.recipients]
            client.submit(sender=service.sender, recipients=recipients, message=message)


def outcome(host: Host, service: Service) -> str:
    """What the program was given, and what the log says."""

    def lines() -> list[str]:
        text = host.log()
        return re.findall(rf".* postfix/pipe\[\d+\]: .*relay={service.name},.*", text)

    until(lambda: len(lines()) == len(service.recipients), what=lambda: f"{service.name}: {lines()}")
    found = sorted(normal_line(line) for line in lines())
    for path in sorted(host.file(_GIVEN).glob(f"{service.name}.*")):
        text = normal_text(path.read_text(errors="replace"))
        text = re.sub(r"(queue=|ESMTP id |(?m:^))[0-9A-F]{6,}", r"\1ID", text)  # it may be longer
        text = re.sub(r"(port|size)=\d+", r"\1=N", text)
        text = re.sub(r"From (.+)  \w{3} \w{3} .*", r"From \1  DATE", text)
        found.append(text)
    return "\n".join(found[: len(service.recipients)] + sorted(found[len(service.recipients) :]))


def test_the_same_as_postfix(world: World, subtests: pytest.Subtests) -> None:
    """Arguments, input, user, directory, and what becomes of the message."""
    for host in world.hosts:
        submit(host)
    for service in SERVICES:
        with subtests.test(service.name):
            theirs, ours = (outcome(host, service) for host in world.hosts)
            assert theirs == ours


def test_why_a_root_directory_cannot_be_used(world: World) -> None:
    """In the log of both; the message says no more than that it is temporary."""
    for host in world.hosts:
        text = "\n".join(until_logged(host, "fatal: chroot"))
        found = set(re.findall(r"postfix/(\w+)\[\d+\]: (fatal: chroot.*)", text))
        assert found == {("pipe", "fatal: chroot(/var/nowhere): No such file or directory")}


def test_a_user_that_does_not_exist(world: World) -> None:
    """Nothing is said of it before there is mail for the service; that mail waits, and the log says why."""
    theirs, ours = world.hosts
    for host in (theirs, ours):
        assert "no-such-user" not in host.log()
        with SmtpClient(host) as client:
            client.submit(
                sender="a@here.test", recipients=["b@absent.test"], message=b"Subject: x\r\n\r\nx\r\n"
            )
        until_logged(host, r"postfix/pipe\[\d+\]: fatal: .*: unknown username: no-such-user$")
    # The original's queue manager asks its service once more, in a minute, before it says so.
    until_logged(ours, r"<b@absent.test>, .*dsn=4.3.0, status=deferred \(unknown mail transport error\)$")
