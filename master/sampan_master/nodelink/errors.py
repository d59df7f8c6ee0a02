"""
NodeLinkError
└── NameTaken   another agent holds this node's name and is alive
"""

from __future__ import annotations


class NodeLinkError(Exception):
    pass


class NameTaken(NodeLinkError):
    pass
