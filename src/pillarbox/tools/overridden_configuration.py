"""A dovecot.conf with settings of the command line in front: `-o NAME=VALUE`.

FAULTS
    ConfigurationFault  as the file's, and for what is no setting
"""

from collections.abc import Sequence

from pillarbox.config.dovecot.reading import Configuration, parse_configuration, read_configuration
from pillarbox.vocabulary.faults import ConfigurationFault


def read_overridden(path: str, overrides: Sequence[str]) -> Configuration:
    """The file's settings, and those; `plugin/quota=…` is the setting quota of the plugin block."""
    configuration = read_configuration(path)
    for text in overrides:
        name, equals, value = text.partition("=")
        *blocks, setting = name.strip().split("/")
        if not equals or not setting:
            raise ConfigurationFault(f"-o {text}", "it is no NAME=VALUE")
        if "\n" in text:
            raise ConfigurationFault(f"-o {name}", "a setting is one line")
        lines = [*(f"{block} {{" for block in blocks), f"{setting} = {value}", *("}" for _ in blocks)]
        given = parse_configuration("\n".join(lines) + "\n", path="-o")
        configuration.root.entries.update(given.root.entries)
        configuration.root.blocks.update(given.root.blocks)
    return configuration
