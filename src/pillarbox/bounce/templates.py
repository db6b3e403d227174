"""The texts of notices, and the file that replaces them.

DESCRIPTION
    There are four templates: failure, delay, success and verify.  Each has a character set, From:, Subject:, a
    Subject: for postmaster's copy, and a text in which `$myhostname` and the like are replaced.  The times
    delay_warning_time and maximal_queue_lifetime may be asked for in a unit: `$maximal_queue_lifetime_days`.

    bounce_template_file has templates as `failure_template = <<EOF` … `EOF`; what it leaves out is built in.  So is
    what a template of the file would have been that has a mistake: mail that cannot be delivered has to be
    reported anyway.

FAULTS
    ConfigurationFault  a line between templates that begins none: with its number

STANDARDS
    bounce(5)
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.config.name_expansion import expand_names
from pillarbox.vocabulary.faults import ConfigurationFault

NAMES: Final = ("failure", "delay", "success", "verify")

_UNITS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}
_TIMES: Final = ("delay_warning_time", "maximal_queue_lifetime")
_BEARABLE: Final = 999
"""A larger number of seconds, minutes or hours would better be one of days."""
Warn = Callable[[str], None]
Value = Callable[[str], str]
FROM: Final = "Mail Delivery System <MAILER-DAEMON>"
FROM_WITH_COMMENT: Final = "MAILER-DAEMON (Mail Delivery System)"
"""The same with header_from_format = obsolete."""
_LABELS: Final = ("charset", "from", "subject", "postmaster-subject")
_LABEL: Final = re.compile(r"[A-Za-z][A-Za-z-]*")


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One template; the text as in the file, without its last newline."""

    subject: str
    postmaster_subject: str = ""
    text: str
    charset: str = "us-ascii"
    sender: str = ""  # FROM, or FROM_WITH_COMMENT
    origin: str = ""  # the file, if it is of one

    def expanded(self, value: Value, *, kind: str, warn: Warn) -> str:
        """The text with `$name` replaced; a name that nobody knows is empty.

        `warn` hears of a time whose unit does not fit.  ExpansionError, of a text that no file gave.
        """
        names = _Names(value, kind=kind, origin=self.origin or "[built-in]", warn=warn)
        return expand_names(self.text, names, allowed=None).text

    def is_undefined(self, is_known: Callable[[str], bool]) -> bool:
        """Whether the text refers to what is no name, without saying what if it is none.  ExpansionError."""
        names = _Names(lambda name: name if is_known(name) else None)
        return expand_names(self.text, names, allowed=None).undefined


class _Names:
    """Parameters, and the two times in the unit that is asked for (bounce(5))."""

    def __init__(
        self,
        value: Callable[[str], str | None],
        *,
        kind: str = "",
        origin: str = "",
        warn: Warn = lambda _text: None,
    ) -> None:
        self._value = value
        self._kind = kind
        self._origin = origin
        self._warn = warn

    def get(self, name: str, default: str, /) -> str | None:
        """A value; None if it is empty."""
        parameter, _, unit = name.rpartition("_")
        if parameter not in _TIMES or unit not in _UNITS:
            found = self._value(name)
            return default if found is None else found or None
        match = re.fullmatch(r"([0-9]{1,15})([smhdw]?)", self._value(parameter) or "")
        if match is None:
            return self._value(parameter) or None
        seconds = int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[match[2]]
        result = seconds // _UNITS[unit]
        where = f'in {self._kind} template conversion of parameter "{name}"'
        if result > _BEARABLE and _UNITS[unit] < _UNITS["days"]:
            self._complain(f'excessive result "{result}" {where}', "increase", unit, name)
        elif result == 0 and seconds:
            self._complain(f"zero result {where}", "reduce", unit, name)
        return str(result)

    def _complain(self, problem: str, change: str, unit: str, name: str) -> None:
        self._warn(f"{self._origin}: {problem}")
        self._warn(f'please {change} time unit "{unit}" of "{name}" in {self._kind} template')
        self._warn("for instructions see the bounce(5) manual")


_HELP: Final = """\
For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system"""

BUILT_IN: Final[dict[str, Template]] = {
    "failure": Template(
        subject="Undelivered Mail Returned to Sender",
        postmaster_subject="Postmaster Copy: Undelivered Mail",
        text=f"""\
This is the mail system at host $myhostname.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

{_HELP}""",
    ),
    "delay": Template(
        subject="Delayed Mail (still being retried)",
        postmaster_subject="Postmaster Warning: Delayed Mail",
        text=f"""\
This is the mail system at host $myhostname.

####################################################################
# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #
####################################################################

Your message could not be delivered for more than $delay_warning_time_hours hour(s).
It will be retried until it is $maximal_queue_lifetime_days day(s) old.

{_HELP}""",
    ),
    "success": Template(
        subject="Successful Mail Delivery Report",
        text="""\
This is the mail system at host $myhostname.

Your message was successfully delivered to the destination(s)
listed below. If the message was delivered to mailbox you will
receive no further notifications. Otherwise you may still receive
notifications of mail delivery errors from other systems.

                   The mail system""",
    ),
    "verify": Template(
        subject="Mail Delivery Status Report",
        text="""\
This is the mail system at host $myhostname.

Enclosed is the mail delivery report that you requested.

                   The mail system""",
    ),
}


def read_templates(content: str, *, path: str, warn: Callable[[str], None]) -> dict[str, Template]:
    """The templates of a file, built-in ones where it has none or a mistake.  ConfigurationFault."""
    found = dict(BUILT_IN)
    lines = content.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if not line or line.startswith("#"):
            continue
        name, equals, marker = (part.strip() for part in line.partition("="))
        if not equals or not marker.startswith("<<"):
            problem = "missing '=' after attribute name" if not equals else "a template begins with <<EOF"
            raise ConfigurationFault(
                f"{path}, line {at}", f'{problem}: "{name}"', mend="NAME_template = <<EOF"
            )
        end = marker.removeprefix("<<").strip()
        first = at
        while at < len(lines) and lines[at].strip() != end:
            at += 1
        if at == len(lines):
            warn(f'{path}, line {first}: missing "{end}" end marker')
        kind = name.removesuffix("_template")
        if kind not in NAMES or kind == name:
            warn(f"{path}, line {at + 1}: unknown template name: {name} -- ignoring this template")
        elif (template := _template(lines[first:at], kind, path=path, warn=warn)) is not None:
            found[kind] = template
        at += 1
    return found


def _template(lines: list[str], kind: str, *, path: str, warn: Callable[[str], None]) -> Template | None:
    default = BUILT_IN[kind]
    headers: dict[str, str] = {}
    at = 0
    while at < len(lines):
        name, colon, value = lines[at].partition(":")
        if not colon or not _LABEL.fullmatch(name):
            break
        label, value = name.lower(), value.strip()
        if label not in _LABELS:
            problem = f'unknown "{name}" header label'
        elif label == "postmaster-subject" and not default.postmaster_subject:
            problem = f'inapplicable "{name}" header label'
        elif not value:
            problem = f'empty "{name}" header value'
        elif not value.isascii():
            problem = f'non-ASCII "{name}" header value'
        else:
            headers[label] = value
            at += 1
            continue
        warn(f"{path}: {problem} in {kind} template -- ignoring this template")
        return None
    text = "\n".join(lines[at:]).lstrip("\n").rstrip("\n")
    if not text.strip():
        warn(f"{path}: missing message text in {kind} template -- ignoring this template")
        return None
    charset = headers.get("charset", default.charset)
    if not text.isascii() and charset.lower() == "us-ascii":
        warn(f"{path}: 8-bit message text in {kind} template")
        warn("please specify a charset value other than us-ascii")
        warn("-- ignoring this template for now")
        return None
    try:
        expand_names(text, _Names(lambda name: name), allowed=None)
    except ExpansionError as error:  # mail that cannot be delivered has to be reported anyway
        warn(str(error))
        warn(f"{path}: bad $name syntax in {kind} template: {text} -- ignoring this template")
        return None
    return Template(
        subject=headers.get("subject", default.subject),
        postmaster_subject=headers.get("postmaster-subject", default.postmaster_subject),
        text=text,
        charset=charset,
        sender=headers.get("from", ""),
        origin=path,
    )


def sender_of(template: Template, *, in_comment: bool) -> str:
    """The template's own From:, or the one that is built in, in the form of header_from_format."""
    return template.sender or (FROM_WITH_COMMENT if in_comment else FROM)


def template_lines(kind: str, template: Template, *, in_comment: bool) -> Iterator[str]:
    """The template as bounce_template_file has it (`postconf -t`)."""
    yield f"{kind}_template = <<EOF"
    yield f"Charset: {template.charset}"
    yield f"From: {sender_of(template, in_comment=in_comment)}"
    yield f"Subject: {template.subject}"
    if template.postmaster_subject:
        yield f"Postmaster-Subject: {template.postmaster_subject}"
    yield ""
    yield template.text
    yield "EOF"


def expanded_lines(kind: str, template: Template, value: Value, *, warn: Warn) -> Iterator[str]:
    """The text as people get it (`postconf -b`)."""
    yield f"expanded_{kind}_text = <<EOF"
    yield template.expanded(value, kind=kind, warn=warn)
    yield "EOF"
