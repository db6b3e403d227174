"""Log lines and notices of Postfix and of ours, without what is different each time."""

import re


def normal_line(line: str) -> str:
    """A log line from its program's name on, without process id, queue ids, sizes of notices and times."""
    line = re.sub(r"^.*? postfix/([\w/]+)\[\d+\]: ", r"\1: ", line)
    line = re.sub(r"\b[0-9A-F]{6,}(?=: )", "ID", line)
    line = re.sub(r"(notification: )\w+", r"\1ID", line)
    line = re.sub(r"message size \d+", "message size N", line)
    line = line.replace("Connection reset by peer", "lost connection")
    return re.sub(r"delay=[0-9.]+, delays=[0-9./]+", "delay=D, delays=D", line)


def normal_text(text: str) -> str:
    """A message without message ids, queue ids, dates and sizes; lines end in LF."""
    text = text.replace("\r\n", "\n")
    text = re.sub(r"<\d{14}\.\w+@", "<ID@", text)
    text = re.sub(r"\b[0-9A-F]{6,}(?=[;.\n])", "ID", text)
    text = re.sub(r"\w{3}, +\d+ \w{3} 20\d\d \d\d:\d\d:\d\d \+0000(?: \(UTC\))?", "DATE", text)
    text = re.sub(r"\bID\.\d+/", "ID.SECONDS/", text)
    text = re.sub(r"message size \d+", "message size N", text)
    text = re.sub(r"SIZE=\d+", "SIZE=N", text)
    return re.sub(r"X-Postfix-Queue-ID: \w+", "X-Postfix-Queue-ID: ID", text)


def normal_notice(text: str) -> str:
    """A notice, in which it does not count whether this machine's address has a name."""
    return normal_text(text).replace("unknown [127.0.0.1]", "localhost [127.0.0.1]")
