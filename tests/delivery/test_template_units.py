"""Times in the texts of notices whose unit does not fit them."""

import pytest

from pillarbox.bounce.templates import Template

_ZERO = 'zero result in delay template conversion of parameter "delay_warning_time_hours"'
_EXCESSIVE = 'excessive result "1000" in delay template conversion of parameter "delay_warning_time_seconds"'


@pytest.mark.parametrize(
    ("time", "unit", "told"),
    [
        ("1s", "_hours", _ZERO),
        ("0", "_hours", ""),
        ("4h", "_hours", ""),
        ("999s", "_seconds", ""),
        ("1000s", "_seconds", _EXCESSIVE),
        ("1000", "", ""),
    ],
)
def test_units_that_do_not_fit_are_told(time: str, unit: str, told: str) -> None:
    """As bounce(8) does, with each notice."""
    name = f"delay_warning_time{unit}"
    values = {"delay_warning_time": time}
    lines: list[str] = []
    Template(subject="x", text=f"${name}").expanded(values.__getitem__, kind="delay", warn=lines.append)
    verb = "reduce" if told == _ZERO else "increase"
    expected = [
        f"[built-in]: {told}",
        f'please {verb} time unit "{unit[1:]}" of "{name}" in delay template',
        "for instructions see the bounce(5) manual",
    ]
    assert lines == (expected if told else [])
