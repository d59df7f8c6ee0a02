"""Which kubeconfig is meant.

Order: `--kubeconfig`, `$KUBECONFIG` (the first file that exists), the local cluster's admin kubeconfig.
"""

from __future__ import annotations

import os

from sampan_api import kubeconfig
from sampan_api.kubeconfig import Access, KubeconfigError

from sampan_cli.errors import CliError

STATE_ROOT = "/var/lib/sampan"


def find(flag: str, cluster: str) -> str:
    """The path, or nothing."""
    if flag:
        if not os.path.exists(flag):
            raise CliError(f"error: stat {flag}: no such file or directory")
        return flag
    for name in os.environ.get("KUBECONFIG", "").split(":"):
        if name and os.path.exists(name):
            return name
    path = local(cluster)
    try:
        os.stat(path)
    except PermissionError:
        return path
    except OSError:
        return ""
    return path


def local(cluster: str) -> str:
    """The admin kubeconfig of a cluster that `sampan up` made on this machine."""
    return f"{STATE_ROOT}/{cluster}/master/admin.kubeconfig"


def load(path: str, context: str = "") -> Access:
    try:
        return kubeconfig.load(path, context)
    except KubeconfigError as error:
        said = str(error)
        if isinstance(error.__cause__, PermissionError):
            said += " (the cluster's admin is root: try sudo)"
        # kubectl's words for a wrong context have their own beginning.
        raise CliError(said if said.startswith("Error in configuration") else f"error: {said}") from error
