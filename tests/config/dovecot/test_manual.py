"""Documentation of dovecot.conf's settings: all of it, up to date; declarations that Dovecot would know again."""

from pathlib import Path

from pillarbox.config.dovecot import manual, value_types
from pillarbox.config.dovecot.declared import access, mailboxes, operation
from pillarbox.config.dovecot.schema import Setting
from pillarbox.config.treatment import Kind

ROOT = Path(__file__).parents[3]
SETTINGS = {
    f"{block.kind}/{setting.name}": setting
    for block in manual.every_block()
    for setting in block.settings.values()
}


def test_the_page_is_up_to_date() -> None:
    """docs/reference/dovecot.conf.md is what the declarations give: `make docs` writes it."""
    assert manual.manual() == (ROOT / manual.PAGE).read_text(encoding="utf-8"), "run `make docs`"


def is_documented(setting: Setting) -> bool:
    """What is served has a manual, what is not a reason."""
    if setting.kind is Kind.SERVED:
        return (setting.doc[:1].isupper() or setting.doc.startswith("`")) and setting.doc.endswith(".")
    return bool(setting.reason) and not setting.reason.endswith(".")


def test_every_setting_is_documented() -> None:
    """Or says why it is not served."""
    assert [] == [name for name, setting in SETTINGS.items() if not is_documented(setting)]


def test_every_default_is_of_its_type() -> None:
    """And written as its type writes it."""
    written = {
        name: value_types.canonical(setting.type, setting.default) for name, setting in SETTINGS.items()
    }
    assert written == {name: setting.default for name, setting in SETTINGS.items()}


def test_names_are_in_one_table_only() -> None:
    """A setting that gets served moves; it is not copied."""
    names = [
        setting.name
        for part in (*access.PARTS, *operation.PARTS, *mailboxes.PARTS)
        for setting in part.settings()
    ]
    assert len(names) == len(set(names))
