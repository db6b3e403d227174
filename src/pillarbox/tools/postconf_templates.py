"""postconf -b and -t: the texts of notices, for people and as the file has them.

FAULTS
    Stop                more than one file, one that cannot be read, or `$name` of what does not exist
    ConfigurationFault  a line of the file that begins no template
"""

from collections.abc import Mapping

from pillarbox.bounce.templates import BUILT_IN, Template, expanded_lines, read_templates, template_lines
from pillarbox.config import listing
from pillarbox.config.host_facts import host_facts
from pillarbox.config.name_usage import is_parameter
from pillarbox.config.snapshot import Snapshot
from pillarbox.tools.postconf_request import Request, Stop, warn


def show_texts(request: Request) -> None:
    """-b: as people get them."""
    snapshot, path = _snapshot_and_path(request)
    templates = _templates(path)
    for kind, template in templates.items():
        if template.is_undefined(lambda name: is_parameter(name) or snapshot.raw(name) is not None):
            raise Stop(f"{path}: undefined $name in {kind} template: {template.text}")
    _print(
        [
            "\n".join(expanded_lines(kind, template, snapshot.value, warn=lambda text: warn([text])))
            for kind, template in templates.items()
        ]
    )


def show_templates(request: Request) -> None:
    """-t: as bounce_template_file has them."""
    snapshot, path = _snapshot_and_path(request)
    in_comment = snapshot.value("header_from_format") == "obsolete"
    _print(
        [
            "\n".join(template_lines(kind, template, in_comment=in_comment))
            for kind, template in _templates(path).items()
        ]
    )


def _print(texts: list[str]) -> None:
    print("\n\n".join(texts))


def _snapshot_and_path(request: Request) -> tuple[Snapshot, str]:
    if len(request.arguments) > 1:
        raise Stop("options -b and -t require at most one template file")
    found = listing.read_listing(
        request.directory,
        facts=host_facts(),
        overrides={},
        named=request.directory_is_named,
        main_cf=True,
        master_cf=False,
    )
    path = request.arguments[0] if request.arguments else found.snapshot.value("bounce_template_file")
    return found.snapshot, path


def _templates(path: str) -> Mapping[str, Template]:
    if not path:
        return BUILT_IN
    try:
        with open(path, encoding="utf-8") as file:
            return read_templates(file.read(), path=path, warn=lambda text: warn([text]))
    except UnicodeDecodeError as error:
        raise Stop(f"{path}: {error}") from error
