"""Documentation of dovecot.conf's settings: all of it, up to date; declarations that Dovecot would know again."""

from pathlib import Path

import pytest

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


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_every_setting_is_documented(setting: Setting) -> None:
    """What is served has a manual, what is not a reason; a default is of the setting's own type."""
    if setting.kind is Kind.SERVED:
        assert setting.doc[:1].isupper() or setting.doc.startswith("`")
        assert setting.doc.endswith(".")
    else:
        assert setting.reason
        assert not setting.reason.endswith(".")
    assert value_types.canonical(setting.type, setting.default) == setting.default


def test_names_are_in_one_table_only() -> None:
    """A setting that gets served moves; it is not copied."""
    names = [
        setting.name
        for part in (*access.PARTS, *operation.PARTS, *mailboxes.PARTS)
        for setting in part.settings()
    ]
    assert len(names) == len(set(names))
