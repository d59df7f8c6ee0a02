"""Version, Status, UpdateRuntimeConfig, RuntimeConfig: the runtime as a whole."""

from __future__ import annotations

import json
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError

from cri_api.v1 import api_pb2 as cri

from sampan_runtime.cri.daemon import Daemon
from sampan_runtime.cri.errors import InvalidArgument

NAME = "sampan"
VERSION = "0.1.0"
API_VERSION = "v1"
_SMALLEST_PREFIX = 29


async def version(_: Daemon, request: cri.VersionRequest) -> cri.VersionResponse:
    return cri.VersionResponse(
        version="0.1.0", runtime_name=NAME, runtime_version=VERSION, runtime_api_version=API_VERSION
    )


async def status(daemon: Daemon, request: cri.StatusRequest) -> cri.StatusResponse:
    problem = daemon.network_error
    reason = "NetworkPluginNotReady" if problem else ""
    conditions = [
        cri.RuntimeCondition(type="RuntimeReady", status=True),
        cri.RuntimeCondition(type="NetworkReady", status=not problem, reason=reason, message=problem),
    ]
    response = cri.StatusResponse(
        status=cri.RuntimeStatus(conditions=conditions),
        runtime_handlers=[cri.RuntimeHandler(name="", features=cri.RuntimeHandlerFeatures())],
        features=cri.RuntimeFeatures(supplemental_groups_policy=True),
    )
    if request.verbose:
        settings = daemon.settings
        info = {
            "cluster": settings.cluster,
            "node": settings.node,
            "stateDir": str(settings.state_dir),
            "runDir": str(settings.run_dir),
            "cgroupRoot": settings.cgroup_root,
            "bridge": settings.bridge,
            "podCIDR": str(daemon.pool.cidr) if daemon.pool else "",
        }
        response.info["config"] = json.dumps(info)
    return response


async def update_runtime_config(
    daemon: Daemon, request: cri.UpdateRuntimeConfigRequest
) -> cri.UpdateRuntimeConfigResponse:
    """Of a dual-stack list the first IPv4 network counts; an empty one changes nothing."""
    texts = request.runtime_config.network_config.pod_cidr.split(",")
    for text in filter(None, map(str.strip, texts)):
        if ":" not in text:
            await daemon.set_pod_cidr(_parse(text))
            break
    return cri.UpdateRuntimeConfigResponse()


def _parse(text: str) -> IPv4Network:
    try:
        cidr = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise InvalidArgument(f"invalid pod CIDR {text!r}: {error}") from error
    if cidr.prefixlen > _SMALLEST_PREFIX:
        raise InvalidArgument(f"pod CIDR {text!r} is too small")
    return cidr


async def runtime_config(_: Daemon, request: cri.RuntimeConfigRequest) -> cri.RuntimeConfigResponse:
    return cri.RuntimeConfigResponse(linux=cri.LinuxRuntimeConfiguration(cgroup_driver=cri.CGROUPFS))
