"""A declared parameter is read by some program, or stands on the list of those that are not."""

import re
from pathlib import Path

from pillarbox.config.expansion_syntax import names_used
from pillarbox.config.parameter import Declaration
from pillarbox.config.postfix_parameters import SERVED
from pillarbox.config.treatment import Kind
from pillarbox.config.unread_parameters import unread
from pillarbox.config.unserved_parameters import TRANSPORT_PARAMETERS, UNEXPANDED, treatment

SOURCE = Path(__file__).parents[2] / "src" / "pillarbox"


def programs() -> str:
    """All source but the declarations themselves, and dovecot.conf's settings of the same names."""
    declarations = ("config", "parameters", "unserved", "dovecot", "declared")
    files = [path for path in SOURCE.rglob("*.py") if path.parent.name not in declarations]
    return "\n".join(path.read_text() for path in [*files, SOURCE / "config" / "computed_defaults.py"])


def is_read(declaration: Declaration, attributes: set[str], texts: set[str]) -> bool:
    """Whether some program has the attribute or the name."""
    return declaration.field in attributes or declaration.name in texts


def read_parameters() -> set[str]:
    """Parameters that a program reads, and those that their defaults refer to."""
    source = programs()
    attributes, texts = set(re.findall(r"\.(\w+)", source)), set(re.findall(r'"(\w+)(?=")', source))
    found = {name for name, declaration in SERVED.items() if is_read(declaration, attributes, texts)}
    # NAME_destination_rate_delay and the like are read by suffix (queue_manager/transport_rules.py).
    for suffix, default in TRANSPORT_PARAMETERS.items():
        if f'"{suffix}"' in source:
            found |= set(names_used(default)) | {name for name in SERVED if name.endswith(f"_{suffix}")}
    found &= set(SERVED)
    waiting = list(found)
    while waiting:
        name = waiting.pop()
        if name in UNEXPANDED:
            continue
        for used in names_used(SERVED[name].default):
            if used in SERVED and used not in found:
                found.add(used)
                waiting.append(used)
    return found


def test_the_list_is_true() -> None:
    """A parameter that a program reads is not on the list, and one that none reads is.

    Whoever makes a program read a parameter takes it off the list in config/unread_parameters.py.
    """
    read = read_parameters()
    assert ([], []) == (
        sorted(set(unread()) & read),  # take these off the list
        sorted(set(SERVED) - read - set(unread())),  # put these on it
    )


def test_only_declared_parameters_are_on_the_list() -> None:
    """Others belong into the tables of parameters that are not served."""
    assert set() == set(unread()) - set(SERVED)


def test_an_unread_parameter_is_not_called_served() -> None:
    """It is treated as the list says, with the default of its declaration."""
    treated = treatment("process_id_directory")
    assert (Kind.NO_EFFECT, "pid") == (treated.kind, treated.default)
    assert Kind.SERVED is treatment("myhostname").kind
