"""The objects that are there before anybody makes any: four namespaces, the system's priority classes and the service
`kubernetes`, at whose address pods will find the API. What is deleted of them comes back."""

from __future__ import annotations

import logging

from sampan_api.client import NAMESPACES, PRIORITYCLASSES, SERVICES, Client, Resource
from sampan_api.clock import Clock
from sampan_api.errors import AlreadyExists, Invalid, NotFound
from sampan_api.meta import Object

from sampan_master.apiserver.resources.kinds.priorityclasses import SYSTEM_CLASSES
from sampan_master.apiserver.resources.resource_type import ServiceNetwork

log = logging.getLogger(__name__)

KEEP_SECONDS = 10.0
InitialObjects = list[tuple[Resource, Object]]

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_DESCRIPTIONS = {
    "system-cluster-critical": "For pods the cluster cannot do without; they may move to another node.",
    "system-node-critical": "For pods their node cannot do without; they stay where they are.",
}


def initial_objects(network: ServiceNetwork, port: int) -> InitialObjects:
    """`port`: where this API server listens."""
    found = [(NAMESPACES, _object(NAMESPACES, name)) for name in _NAMESPACES]
    for name, value in SYSTEM_CLASSES.items():
        more = {"value": value, "description": _DESCRIPTIONS[name]}
        found.append((PRIORITYCLASSES, _object(PRIORITYCLASSES, name) | more))
    return [*found, (SERVICES, _kubernetes_service(network, port))]


def _object(resource: Resource, name: str) -> Object:
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"name": name}}


def _kubernetes_service(network: ServiceNetwork, port: int) -> Object:
    obj = _object(SERVICES, "kubernetes")
    labels = {"component": "apiserver", "provider": "kubernetes"}
    obj["metadata"] |= {"namespace": "default", "labels": labels}
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]
    return obj | {"spec": {"clusterIP": network.first_address, "ports": ports}}


async def create_initial_objects(client: Client, objects: InitialObjects) -> None:
    for resource, obj in objects:
        await _create(client, resource, obj)


async def _create(client: Client, resource: Resource, obj: Object) -> None:
    try:
        await client.create(resource, obj, obj["metadata"].get("namespace", ""))
    except AlreadyExists:
        return
    except Invalid as error:
        # Somebody deleted the service and gave its address to another one: no reason not to serve.
        log.error("%s %s could not be made: %s", resource.kind, obj["metadata"]["name"], error)


async def keep_initial_objects(client: Client, objects: InitialObjects, clock: Clock) -> None:
    """Makes again what is missing, for as long as it runs."""
    while True:
        await clock.sleep(KEEP_SECONDS)
        for resource, obj in objects:
            try:
                await client.get(resource, obj["metadata"]["name"], obj["metadata"].get("namespace", ""))
            except NotFound:
                await _create(client, resource, obj)
