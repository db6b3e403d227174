"""main.cf: `name = value` with continuation lines, every value with its file and line.

DESCRIPTION
    `parse_main_cf()` takes the text of the file, `read_main_cf()` the file.  Whitespace around names and
    values is dropped.  When a name is given more than once the last one counts, and there is a warning for
    each one before.  Nothing is expanded here and no name is judged: a name may be a parameter of Postfix, of
    ours, or one that the admin made up for use in other values.

FAULTS
    ConfigurationFault  a line without `=`, or with nothing before it.  In Postfix's words, so that an admin
                        who searches for the message finds the answer.
    warnings            a second definition of a name; text that continues no line.  They do not stop a start.
"""

import msgspec

from pillarbox.config.logical_lines import LeadingWhitespace, logical_lines, read_text, split_name_value
from pillarbox.config.value import Value
from pillarbox.vocabulary.faults import ConfigurationFault


class MainCf(msgspec.Struct, frozen=True):
    """Values by name in the order of their (last) definition, and warnings as Postfix words them."""

    path: str
    values: dict[str, Value]
    warnings: tuple[str, ...] = ()


def read_main_cf(path: str) -> MainCf:
    """The main.cf at `path`.  ConfigurationFault for bad syntax or a file that cannot be read."""
    try:
        content = read_text(path)
    except OSError as error:
        raise ConfigurationFault(path, f"cannot read: {error.strerror}") from error
    return parse_main_cf(content, path=path)


def parse_main_cf(content: str, *, path: str = "main.cf") -> MainCf:
    """The values in `content`.  ConfigurationFault for bad syntax."""
    values: dict[str, Value] = {}
    warnings: list[str] = []
    for line in logical_lines(content):
        if isinstance(line, LeadingWhitespace):
            warnings.append(line.warning(path))
            continue
        try:
            name, text = split_name_value(line.text)
        except ValueError as error:
            raise ConfigurationFault(
                f"{path}, line {line.first}", str(error), mend="expected: name = value"
            ) from error
        earlier = values.pop(name, None)
        if earlier is not None and earlier.text != text:
            warnings.append(f"{path}, line {line.first}: overriding earlier entry: {name}={earlier.text}")
        values[name] = Value(text, path, line.first)
    return MainCf(path, values, tuple(warnings))
