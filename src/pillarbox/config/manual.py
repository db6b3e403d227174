"""Write the reference page of main.cf from the declarations.

DESCRIPTION
    `python -m pillarbox.config.manual [FILE]` writes docs/reference/main.cf.md.
"""

import re
import sys
from typing import Any, Final

from pillarbox.config.computed_defaults import COMPUTED
from pillarbox.config.parameter import Declaration, declarations
from pillarbox.config.postfix_parameters import GROUPS
from pillarbox.config.reference_page import by_reason, write_page
from pillarbox.config.treatment import Kind
from pillarbox.config.unserved_parameters import TRANSPORT_PARAMETERS, UNEXPANDED, treatment, unserved
from pillarbox.config.value_types import MatchList, NetworkList, OctalMode, Octets, Seconds

PAGE: Final = "docs/reference/main.cf.md"

_TYPES: Final[dict[Any, str]] = {
    str: "text",
    bool: "yes or no",
    int: "number",
    Octets: "number",
    Seconds: "time",
    OctalMode: "file mode",
    tuple[str, ...]: "list",
    MatchList: "list of names, /file/name and type:table",
    NetworkList: "list of networks, host names, /file/name and type:table",
}

# In the page's source, each sentence is a line.
_SENTENCE: Final = re.compile(r"(?<=[a-z>)0-9]\.) (?=[A-Z0-9])")

_INTRODUCTION: Final = """\
# Parameters of main.cf

<!-- Written by `make docs` from the declarations in src/pillarbox/config/parameters. -->

A value may refer to others: `$name`, `${name?{if set}:{if not}}`, `${{$name} == {text} ? {this} : {that}}`.
Times take `s`, `m`, `h`, `d` or `w`; a time without a unit has that of the default.
Lists are separated by commas or blanks; braces keep an item with blanks together.
`postconf -v NAME` tells the value in effect and the line it is from.
"""

_MASTER_CF: Final = """\
## Fields of master.cf

service, type: an inet service listens on inet_interfaces, or on the address before its port.
smtpd takes the type inet, delivery agents and spawn the type unix; a start warns of others.
private: of spawn, whether the socket is in private/ or in public/.
unprivileged, wakeup time: of no meaning. Who needs rights has them, and nobody has to be woken.
chroot: spawn refuses it. Others have opened their files when they drop their rights, and get no root of their own:
an absolute path of a socket is the host's.
process limit: connections of smtpd, deliveries of smtp, lmtp and pipe, commands of local and spawn at once.
For programs that are parts of others here it has no meaning.
`-o name=value`: counts for smtpd, smtp, lmtp, local, virtual, pipe, pickup, cleanup and spawn, and for the services
qmgr, rewrite, bounce and verify; where it does not, a start warns.
`-v`: smtpd, smtp and lmtp log what both sides say, as with debug_peer_list. Of others, and of `-D`, a start warns.
"""

_NOT_SERVED: Final = {
    Kind.REFUSED: (
        "Refused",
        "These are known, and a start is refused while one of them is set to something else than its default: "
        "ignoring it would let somebody in, let something bad pass, or lose mail.",
    ),
    Kind.LATER: (
        "Not served yet",
        "These are known, and a start warns of one that is set to something else than its default.",
    ),
    Kind.NO_EFFECT: (
        "Without effect",
        "These are taken without effect, because what they are about does not exist here.",
    ),
}


def manual() -> str:
    """The page."""
    parts = [_INTRODUCTION]
    for group in GROUPS:
        parts.append(f"## {(group.__doc__ or '').strip().rstrip('.')}\n")
        parts += [_entry(declaration) for declaration in declarations(group)]
    parts += [_services(), _MASTER_CF]
    for kind, (title, text) in _NOT_SERVED.items():
        parts.append(f"## {title}\n\n{text}\n")
        parts += by_reason(
            (treated.reason, name) for name, treated in unserved().items() if treated.kind is kind
        )
    return "\n".join(parts)


def _entry(declaration: Declaration) -> str:
    lines = [f"### {declaration.name}\n"]
    default = f"`{declaration.default}`" if declaration.default else "empty"
    if declaration.name in COMPUTED:
        default = "from the host, see below"
    lines.append(f"{_type(declaration)}; default: {default}\n")
    lines.append(_SENTENCE.sub("\n", declaration.doc) + "\n")
    if declaration.name in UNEXPANDED:
        lines.append("`$name` in it is not expanded by main.cf's rules.\n")
    treated = treatment(declaration.name)
    if treated.kind is not Kind.SERVED:
        lines.append(f"**{treated.kind.value.capitalize()}**: {treated.reason}.\n")
    if declaration.differs:
        lines.append(f"Not Postfix's default: {declaration.differs}\n")
    return "\n".join(lines)


def _type(declaration: Declaration) -> str:
    if declaration.choices:
        return f"one of {', '.join(f'`{word}`' if word else 'empty' for word in declaration.choices)}"
    unit = " seconds" if declaration.type is Seconds else ""
    text = _TYPES[declaration.type]
    if declaration.words:
        return f"list of {', '.join(f'`{word}`' for word in declaration.words)}"
    if declaration.minimum is not None and declaration.maximum is not None:
        return f"{text}, {declaration.minimum:.10g} to {declaration.maximum:.10g}{unit}"
    if declaration.minimum:
        return f"{text}, at least {declaration.minimum:.10g}{unit}"
    if declaration.maximum is not None:
        return f"{text}, at most {declaration.maximum:.10g}{unit}"
    return text


def _services() -> str:
    names = ", ".join(f"`NAME_{suffix}`" for suffix in TRANSPORT_PARAMETERS)
    return (
        "## Parameters named after a delivery agent\n\n"
        "For a delivery agent NAME in master.cf there are parameters that change a default for it alone.\n"
        f"These are served:\n{names}\n"
    )


def main(argv: list[str]) -> None:
    """Write the page."""
    write_page(manual(), argv, page=PAGE)


if __name__ == "__main__":
    main(sys.argv[1:])
