"""
SimError
├── ConfigError   the file or the command line: names the field and what it should be
└── NameTaken     a node of that name is there, and no simulated one of ours
"""

from __future__ import annotations


class SimError(Exception):
    """Told to the user as it is; the process ends."""


class ConfigError(SimError):
    pass


class NameTaken(SimError):
    pass
