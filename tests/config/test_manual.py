"""Documentation of parameters: all of it, up to date, and fit to be read."""

from pathlib import Path

import pytest

from pillarbox.config import manual
from pillarbox.config.parameter import Declaration
from pillarbox.config.postfix_parameters import SERVED
from pillarbox.config.unserved_parameters import unserved

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    """docs/reference/main.cf.md is what the declarations give: `make docs` writes it."""
    assert manual.manual() == (ROOT / manual.PAGE).read_text(encoding="utf-8"), "run `make docs`"


def test_the_page_has_every_parameter() -> None:
    """Each parameter is on the page, served or not."""
    page = manual.manual()
    assert [] == [name for name in SERVED if f"### {name}\n" not in page]
    assert [] == [name for name in unserved() if f"`{name}`" not in page]


@pytest.mark.parametrize("declaration", SERVED.values(), ids=lambda declaration: declaration.name)
def test_every_parameter_is_documented(declaration: Declaration) -> None:
    """The text is a sentence or a few, and the default is of the parameter's own type."""
    assert declaration.doc[:1].isupper() or declaration.doc.startswith(("transport:nexthop", "none:", "0:"))
    assert declaration.doc.endswith(".")
    assert 20 <= len(declaration.doc) <= 400
    assert "  " not in declaration.doc
    if declaration.differs:
        assert declaration.differs.endswith(".")


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    """The file named on the command line gets the page."""
    manual.main([str(tmp_path / "page.md")])
    assert manual.manual() == (tmp_path / "page.md").read_text(encoding="utf-8")
