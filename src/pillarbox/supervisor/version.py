"""The version that log lines and commands give."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("pillarbox")
