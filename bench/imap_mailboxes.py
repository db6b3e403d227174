"""Mailboxes that are the same for both servers: messages as they lie in a Maildir, and folders."""

import os
import random
from pathlib import Path

from bench.systems import USER, mail_user

_WORDS = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor".split()


def make_maildir(path: Path, *, parents: bool = False) -> Path:
    """An empty one that belongs to the mail user, as does the home that it is in if that is to be made, too."""
    user = mail_user()
    homes = (path.parent,) if parents else ()
    for directory in (*homes, path, path / "cur", path / "new", path / "tmp"):
        directory.mkdir(mode=0o700)
        os.chown(directory, user.pw_uid, user.pw_gid)
    return path


def fill(maildir: Path, count: int) -> None:
    """The same messages for everybody, some with parts, some with flags."""
    chance = random.Random(20261122)
    user = mail_user()
    for number in range(count):
        flags = "".join(letter for letter in "FRS" if chance.random() < 0.3)
        path = maildir / "cur" / f"{1700000000 + number}.M{number}P1.bench:2,{flags}"
        path.write_bytes(message(number, chance))
        os.chown(path, user.pw_uid, user.pw_gid)
        os.utime(path, (1700000000 + number, 1700000000 + number))


def fill_alike(maildir: Path, filled: Path) -> None:
    """The same messages as in a mailbox that was filled before and that nobody has touched: by links, quickly."""
    for name in os.listdir(filled / "cur"):
        os.link(filled / "cur" / name, maildir / "cur" / name)


def fill_partly(maildir: Path, filled: Path, count: int) -> None:
    """The same with the first of them."""
    for name in sorted(os.listdir(filled / "cur"))[:count]:
        os.link(filled / "cur" / name, maildir / "cur" / name)


def deliver(maildir: Path, number: int) -> None:
    """As a delivery agent does: tmp/, fsync, rename to new/."""
    user = mail_user()
    name = f"{1800000000 + number}.M{number}P2.bench"
    path = maildir / "tmp" / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, message(number, random.Random(number)))
    os.fchown(descriptor, user.pw_uid, user.pw_gid)
    os.fsync(descriptor)
    os.close(descriptor)
    path.rename(maildir / "new" / name)


def message(number: int, chance: random.Random) -> bytes:
    """About 4 KiB, every third with an HTML alternative."""
    lines = [" ".join(chance.choices(_WORDS, k=11)) for _ in range(40)]
    body = "\n".join(lines)
    if number % 1000 == 500:
        body += "\nthe needle in the haystack\n"
    head = (
        f"Return-Path: <sender{number % 97}@example.org>\nDelivered-To: {USER}\n"
        f"Received: from mx{number % 7}.example.org (mx [192.0.2.1])\n\tby {USER.partition('@')[2]} with ESMTP id {number:X}\n"
        f'From: "Sender {number % 97}" <sender{number % 97}@example.org>\nTo: Me <{USER}>\n'
        f"Cc: other@example.net\nSubject: Message {number} about {chance.choice(_WORDS)}\n"
        f"Date: Tue, {number % 28 + 1:02d} Nov 2023 10:{number % 60:02d}:00 +0000\n"
        f"Message-ID: <{number}.bench@example.org>\nReferences: <{max(0, number - 1)}.bench@example.org>\nMIME-Version: 1.0\n"
    )
    if number % 3:
        return f"{head}Content-Type: text/plain; charset=utf-8\n\n{body}\n".encode()
    parts = (
        f"--b{number}\nContent-Type: text/plain; charset=utf-8\n\n{body}\n"
        f"--b{number}\nContent-Type: text/html; charset=utf-8\n\n<p>{body[:800]}</p>\n--b{number}--\n"
    )
    return f"{head}Content-Type: multipart/alternative; boundary=b{number}\n\n{parts}".encode()
