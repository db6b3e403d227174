"""Documentation of parameters: all of it, up to date, and fit to be read."""

from pathlib import Path

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


def is_documented(declaration: Declaration) -> bool:
    """The text is a sentence or a few."""
    doc = declaration.doc
    begins = doc[:1].isupper() or doc.startswith(("transport:nexthop", "none:", "0:"))
    ends = doc.endswith(".") and declaration.differs[-1:] in ("", ".")
    return begins and ends and 20 <= len(doc) <= 400 and "  " not in doc


def test_every_parameter_is_documented() -> None:
    """The manual has it from the declaration."""
    assert [] == [name for name, declaration in SERVED.items() if not is_documented(declaration)]


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    """The file named on the command line gets the page."""
    manual.main([str(tmp_path / "page.md")])
    assert manual.manual() == (tmp_path / "page.md").read_text(encoding="utf-8")
