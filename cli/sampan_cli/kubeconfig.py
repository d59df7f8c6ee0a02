"""Which kubeconfig is meant.

Order: `--kubeconfig` or `--cluster`, `$KUBECONFIG` (the first file that exists), the admin kubeconfig of the local
cluster "sampan". What is named and not there is an error: the next in the order may be another cluster.
"""

from __future__ import annotations

import os

from sampan_api import kubeconfig
from sampan_api.kubeconfig import Access, KubeconfigError

from sampan_cli.errors import CliError, UsageError

STATE_ROOT = "/var/lib/sampan"
CLUSTER = "sampan"


def cluster_flag(cluster: str) -> str:
    """What a command that is proposed needs beside its verb."""
    return "" if cluster in ("", CLUSTER) else f" --cluster {cluster}"


def find(flag: str, cluster: str) -> str:
    """The path; "" when nothing is named and no cluster "sampan" is on this machine. `cluster` is "" unless it was
    named. Raises CliError when what is named is not there."""
    if flag and cluster:
        raise UsageError("--kubeconfig and --cluster each name a cluster: give one of them")
    if flag:
        if not os.path.exists(flag):
            raise CliError(f"error: stat {flag}: no such file or directory")
        return flag
    given = os.environ.get("KUBECONFIG", "")
    if given and not cluster:
        if found := next((name for name in given.split(":") if name and os.path.exists(name)), ""):
            return found
        raise CliError(f"error: $KUBECONFIG: stat {given}: no such file or directory")
    path = local(cluster or CLUSTER)
    try:
        os.stat(path)
    except PermissionError:
        return path
    except OSError as error:
        if cluster:
            up = f"sampan up{cluster_flag(cluster)}"
            raise CliError(f'error: no cluster "{cluster}" on this machine: start one with "{up}"') from error
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
