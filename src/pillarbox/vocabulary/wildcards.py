"""Masks of names: `*` is anything, `?` any character, and nothing else means anything."""

import fnmatch
import re
from functools import cache


@cache
def mask_pattern(mask: str) -> "re.Pattern[str]":
    """What `fullmatch`es the names that a mask stands for."""
    return re.compile(fnmatch.translate(mask.replace("[", "[[]")))
