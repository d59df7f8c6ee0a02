"""Who "nobody:nogroup" is, by the image's own /etc/passwd and /etc/group: hostile text, parsed by us, never by nss."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from sampan_runtime.images.errors import BadImage
from sampan_runtime.images.rooted import directory, opened

_LIMIT = 1 << 20
_MAX_ID = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class User:
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    """Of /etc/group, without `gid`."""
    home: str = "/"


def resolve_user(layers: Sequence[str], user: str, group: str = "") -> User:
    """`user` is a name or number, also "user:group"; `layers` are topmost first."""
    user, _, own_group = user.partition(":")
    group = group or own_group
    entry = _find_user(_rows(layers, "etc/passwd", 7), user or "0")
    groups = _rows(layers, "etc/group", 4)
    uid, gid, name, home = entry
    if group:
        gid = _find_group(groups, group)
    members = {_number(row[2]) for row in groups if name and name in row[3].split(",")} - {gid, -1}
    return User(uid, gid, tuple(sorted(members)), home)


def check_id(number: int, what: str) -> int:
    if not 0 <= number <= _MAX_ID:
        raise BadImage(f"{what} {number} is out of range")
    return number


def _find_user(rows: list[list[str]], user: str) -> tuple[int, int, str, str]:
    for row in rows:
        if user in (row[0], row[2]) and _number(row[2]) >= 0 and _number(row[3]) >= 0:
            return _number(row[2]), _number(row[3]), row[0], row[5] or "/"
    if user.isdecimal():
        return check_id(int(user), "user id"), 0, "", "/"
    if user == "root":
        return 0, 0, "root", "/root"
    raise BadImage(f"no users found: unable to find user {user}: no matching entries in passwd file")


def _find_group(rows: list[list[str]], group: str) -> int:
    if group.isdecimal():
        return check_id(int(group), "group id")
    for row in rows:
        if row[0] == group and _number(row[2]) >= 0:
            return _number(row[2])
    raise BadImage(f"unable to find group {group}: no matching entries in group file")


def _number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else -1
    return number if number <= _MAX_ID else -1


def _rows(layers: Sequence[str], path: str, columns: int) -> list[list[str]]:
    rows = (line.split(":") for line in _read(layers, path).splitlines())
    return [row for row in rows if len(row) >= columns]


def _read(layers: Sequence[str], path: str) -> str:
    """The topmost layer that has the file decides; one that is no regular file counts as absent."""
    for layer in layers:
        try:
            with directory(layer) as root, opened(root, path, os.O_RDONLY | os.O_NONBLOCK) as file:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    return ""
                return os.read(file, _LIMIT).decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise BadImage(f"/{path} of the image: {error.strerror}") from error
    return ""
