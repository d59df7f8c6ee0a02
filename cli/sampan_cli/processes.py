"""Verbs that become a process of another plank: its flags are its own, here only the API server is found."""

from __future__ import annotations

import argparse
import os
import sys

from sampan_cli import kubeconfig

_RUN = (
    "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    " runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)
"""As `python -m`; but until the process handles it, Ctrl-C ends it at once instead of in the middle of an import, which
would print where."""


def become(module: str, words: list[str]) -> int:
    """Does not return: the process goes on as `python -m module`, under its pid, with its exit code."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--cluster", default="")
    known, rest = parser.parse_known_args(words)
    elsewhere = any(word.partition("=")[0] in ("--master", "-h", "--help") for word in rest)
    named = known.kubeconfig or known.cluster
    path = kubeconfig.find(known.kubeconfig, known.cluster) if named or not elsewhere else ""
    argv = [sys.executable, "-c", _RUN, module, *(("--kubeconfig", path) if path else ()), *rest]
    sys.stdout.flush()
    os.execv(sys.executable, argv)
