"""Static bearer tokens from a file, in the form kube-apiserver's --token-auth-file has: one CSV line each of

    token,user name,user uid,"group1,group2"

with the uid and the groups left out at will. For programs that know no client certificates; the file is a secret.
"""

from __future__ import annotations

import csv
from pathlib import Path

from sampan_api.client import UserInfo


class TokenFileError(Exception):
    """What is wrong in which line."""


def read_tokens(path: Path) -> dict[str, UserInfo]:
    """Raises TokenFileError, OSError."""
    tokens: dict[str, UserInfo] = {}
    with open(path, newline="") as file:
        rows = csv.reader(file, skipinitialspace=True)
        for row in rows:
            if not row:
                continue
            token, user, uid, groups = [*row, *[""] * 4][:4]
            if not token or not user:
                raise TokenFileError(
                    f"{path}:{rows.line_num}: a token and a user name are needed, separated by a comma"
                )
            if token in tokens:
                raise TokenFileError(f"{path}:{rows.line_num}: this token stands in the file twice")
            tokens[token] = UserInfo(user, [group for group in groups.split(",") if group], uid=uid)
    return tokens
