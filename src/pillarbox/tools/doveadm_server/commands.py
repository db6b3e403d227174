"""Commands that the doveadm service does, what the API calls them, and their parameters.

DESCRIPTION
        ["mailboxStatus", {"user": "alice", "field": ["messages", "vsize"], "mailboxMask": "INBOX"}, "tag"]
        doveadm mailbox status -u alice 'messages vsize' INBOX

    A command's name and its options' long names have their words joined.  Parameters that are no option stand in
    their places.  A text is taken for a list of one, and a number for its digits.

FAULTS
    BadParameters  there is none of that name, or one is missing in front of others

STANDARDS
    Dovecot 2.3 Administration, Doveadm HTTP API (as it answers GET)
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_OF_MAIL: Final = "allUsers? user userFile "
_DICT: Final = "user dictUri= key="
_DSYNC: Final = (
    "fullSync? purgeRemote? reverseSync? replicatorNotify? lockTimeout# rawlog mailbox mailboxGuid namespace* "
    "allNamespaces? excludeMailbox* allMailbox state timeout# defaultDestination? syncSinceTime syncUntilTime "
    "syncFlags syncMaxSize destination=*"
)
_TABLE: Final = f"""
auth cache flush: socketPath user=*
dict get: {_DICT}
dict inc: {_DICT} difference=#
dict iter: user exact? recurse? noValue? dictUri= prefix=
dict set: {_DICT} value=
dict unset: {_DICT}
fs copy: fsDriver= fsArgs= sourcePath= destinationPath=
fs delete: recursive? maxParallel# fsDriver= fsArgs= path=*
fs get: fsDriver= fsArgs= path=
fs iter: noCache? objectIds? fsDriver= fsArgs= path=
fs iter-dirs: fsDriver= fsArgs= path=
fs metadata: fsDriver= fsArgs= path=
fs put: hash fsDriver= fsArgs= inputPath= path=
fs stat: fsDriver= fsArgs= path=
instance list: showConfig? name=
instance remove: name=
kick: socketPath force? mask=*
log errors: since#
log find: logDir=
log reopen:
log test:
mailbox mutf7: toUtf8? fromUtf8? name=*
penalty: socketPath netmask=
process status: service=*
proxy kick: user=*
proxy list:
reload:
service status: service=*
service stop: service=*
stats add: name= filter=
stats dump:
stats remove: name=
stop:
user: socketPath authInfo* field expandField userdbOnly? userMask=*
who: socketPath separateConnections? mask=*
"""
_MAIL_TABLE: Final = f"""
acl add: mailbox= id= right=*
acl debug: mailbox=
acl delete: mailbox= id=
acl get: matchMe? mailbox=
acl recalc:
acl remove: mailbox= id= right=*
acl rights: mailbox=
acl set: mailbox= id= right=*
altmove: reverse? query=*
backup: {_DSYNC}
batch: separator= args=*
copy: destinationMailbox= sourceType=- sourceUser=- query=*
deduplicate: byMsgid? query=*
dsync-server: rawlog timeout# replicatorNotify?
expunge: deleteEmptyMailbox? query=*
fetch: field=+ query=*
flags add: flag=+ query=*
flags remove: flag=+ query=*
flags replace: flag=+ query=*
force-resync: fsck? mailboxMask=
import: sourceUser subscribe? sourceLocation= destParentMailbox= query=*
index: queue? maxRecent mailboxMask=
mailbox cache decision: all? fieldstr lastUsed# decision mailbox=*
mailbox cache purge: mailbox=*
mailbox cache remove: query=*
mailbox create: subscriptions? guid mailbox=*
mailbox delete: requireEmpty? subscriptions? recursive? unsafe? mailbox=*
mailbox list: mutf7? utf8? subscriptions? mailboxMask=*
mailbox metadata get: allowEmptyMailboxName? mailbox= key=
mailbox metadata list: allowEmptyMailboxName? prependPrefix? mailbox= keyPrefix=
mailbox metadata set: allowEmptyMailboxName? mailbox= key= value=
mailbox metadata unset: allowEmptyMailboxName? mailbox= key=
mailbox path: mailbox=* type
mailbox rename: subscriptions? mailbox= newName=
mailbox status: totalSum? field=+ mailboxMask=*
mailbox subscribe: mailbox=*
mailbox unsubscribe: mailbox=*
mailbox update: mailboxGuid uidValidity minNextUid minFirstRecentUid minHighestModseq minHighestPvtModseq mailbox=
move: destinationMailbox= sourceType=- sourceUser=- query=*
purge:
quota get:
quota recalc:
save: mailbox file=
search: query=*
sync: {_DSYNC} onewaySync?
"""
_PARAMETER: Final = re.compile(r"(?P<name>\w+)(?P<word>=?)(?P<kind>[?*#+-]?)")
_TYPES: Final = {"": "string", "-": "string", "?": "boolean", "#": "integer", "*": "array", "+": "array"}


class BadParameters(Exception):
    """`is_unknown`: there is none of that name; otherwise, one lacks."""

    def __init__(self, text: str, *, is_unknown: bool) -> None:
        super().__init__(text)
        self.is_unknown = is_unknown


class Parameter(msgspec.Struct, frozen=True):
    """Of a command."""

    name: str
    is_word: bool
    """It stands in its place; otherwise it is an option."""
    kind: str
    """`?` whether at all, `#` a number, `*` a list, `+` a list as one word, `-` a word that may be left out."""

    @property
    def option(self) -> str:
        """As it is written in a command line."""
        return "--" + re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", self.name)


class Command(msgspec.Struct, frozen=True):
    """One."""

    name: str
    """`mailbox status`"""
    parameters: tuple[Parameter, ...]
    is_of_mail: bool
    """For users' mailboxes."""

    @property
    def method(self) -> str:
        """`mailboxStatus`"""
        return re.sub(r"[ -](.)", lambda letter: letter[1].upper(), self.name)

    @property
    def words(self) -> tuple[str, ...]:
        """Of its name."""
        return tuple(self.name.split(" "))


def _commands(table: str, more: str = "", *, is_of_mail: bool = False) -> dict[str, Command]:
    found = {}
    for line in table.strip().splitlines():
        name, _, texts = line.partition(":")
        parameters = tuple(
            Parameter(part["name"], bool(part["word"]), part["kind"])
            for part in _PARAMETER.finditer(more + texts)
        )
        found[name] = Command(name, parameters, is_of_mail)
    return found


COMMANDS: Final[Mapping[str, Command]] = _commands(_TABLE) | _commands(_MAIL_TABLE, _OF_MAIL, is_of_mail=True)
"""By their names."""
METHODS: Final[Mapping[str, Command]] = {command.method: command for command in COMMANDS.values()}


def named_by(words: Sequence[str]) -> Command | None:
    """The command that a command line begins with."""
    for length in (3, 2, 1):
        if (command := COMMANDS.get(" ".join(words[:length]))) is not None:
            return command
    return None


def arguments_of(command: Command, values: Mapping[str, object]) -> tuple[list[str], str | None]:
    """The words behind a command's name, and the content of a message.  BadParameters."""
    known = {parameter.name for parameter in command.parameters}
    for name in values:
        if name not in known:
            raise BadParameters(f"unknown parameter {name}", is_unknown=True)
    options: list[str] = []
    words: list[str] = []
    content, lacks = None, ""
    for parameter in command.parameters:
        if parameter.name not in values:
            lacks = parameter.name if parameter.is_word and parameter.kind != "-" else lacks
            continue
        texts = _texts(values[parameter.name])
        if command.name == "save" and parameter.name == "file":
            content = "".join(texts)
        elif parameter.is_word:
            if lacks and texts:
                raise BadParameters(f"missing parameter {lacks}", is_unknown=False)
            words += [" ".join(texts)] if parameter.kind == "+" else texts
        elif parameter.kind == "?":
            options += (
                [parameter.option] if values[parameter.name] not in (False, "false", "no", 0, "") else []
            )
        else:
            options += [f"{parameter.option}={text}" for text in texts]
    is_to_be_divided = any(word.startswith("-") for word in words)
    return [*options, *(["--"] if is_to_be_divided else []), *words], content


def _texts(value: object) -> list[str]:
    match value:
        case bool():
            return ["yes" if value else "no"]
        case str():
            return [value]
        case int():
            return [str(value)]
        case list():
            return [text for one in value for text in _texts(one)]
    raise BadParameters("neither text nor number nor list", is_unknown=True)


def description() -> str:
    """All commands and their parameters, in JSON."""
    blocks = []
    for command in METHODS.values():
        lines = ",\n".join(
            f'\t\t{{"name":"{parameter.name}","type":"{_TYPES[parameter.kind]}"}}'
            for parameter in command.parameters
        )
        listed = f"[\n{lines}\n\t]" if lines else "[]"
        blocks.append(f'\t{{"command":"{command.method}", "parameters":{listed}}}')
    return "[\n" + ",\n".join(blocks) + "\n]\n"
