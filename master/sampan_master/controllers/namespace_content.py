"""What every living namespace has: the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`."""

from __future__ import annotations

from sampan_api import meta
from sampan_api.client import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS, Client, EventType, Resource
from sampan_api.clock import Clock
from sampan_api.errors import AlreadyExists, Forbidden, NotFound, has_cause
from sampan_api.meta import Object, with_path

from sampan_master.controllers.informers import Informers
from sampan_master.controllers.try_all import try_all
from sampan_master.controllers.workqueue import WorkQueue, work

_ROOT_CA = "kube-root-ca.crt"
_DESCRIPTION = "kubernetes.io/description"
_ROOT_CA_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints "
    "such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across "
    "distributions of Kubernetes clusters."
)


class NamespaceContentController:
    def __init__(self, client: Client, clock: Clock, informers: Informers, root_ca_pem: str) -> None:
        self._client, self._root_ca_pem = client, root_ca_pem
        self._namespaces = informers[NAMESPACES]
        self._accounts, self._configmaps = informers[SERVICEACCOUNTS], informers[CONFIGMAPS]
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._namespaces.subscribe(lambda _event, namespace, _old: self._queue.add(meta.name(namespace)))
        self._accounts.subscribe(self._on_content)
        self._configmaps.subscribe(self._on_content)

    async def run(self) -> None:
        await work("namespace content", self._queue, self.sync, 2)

    def _on_content(self, _event: EventType, obj: Object, _old: Object | None) -> None:
        if meta.name(obj) in ("default", _ROOT_CA):
            self._queue.add(meta.namespace(obj))

    async def sync(self, name: str) -> None:
        namespace = self._namespaces.get(name)
        if namespace is None or meta.is_deleting(namespace):
            return
        await try_all(lambda make: make(name), [self._make_account, self._publish_root_ca], at_once=1)

    async def _make_account(self, namespace: str) -> None:
        if self._accounts.get("default", namespace) is None:
            await self._create(SERVICEACCOUNTS, {"metadata": {"name": "default", "namespace": namespace}})

    async def _publish_root_ca(self, namespace: str) -> None:
        if not self._root_ca_pem:
            return
        data = {"ca.crt": self._root_ca_pem}
        present = self._configmaps.get(_ROOT_CA, namespace)
        if present is None:
            metadata = {
                "name": _ROOT_CA,
                "namespace": namespace,
                "annotations": {_DESCRIPTION: _ROOT_CA_DESCRIPTION},
            }
            await self._create(CONFIGMAPS, {"metadata": metadata, "data": data})
        elif present.get("data") != data or not meta.annotations(present).get(_DESCRIPTION):
            annotations = meta.annotations(present) | {_DESCRIPTION: _ROOT_CA_DESCRIPTION}
            wanted = with_path(present, ("metadata", "annotations"), annotations)
            await self._client.update(CONFIGMAPS, wanted | {"data": data})

    async def _create(self, resource: Resource, obj: Object) -> None:
        full = {"apiVersion": resource.api_version, "kind": resource.kind} | obj
        try:
            await self._client.create(resource, full, meta.namespace(obj))
        except (AlreadyExists, NotFound):
            # It is there before our cache shows it, or the namespace has gone: both end in another event.
            return
        except Forbidden as error:
            # A quota may be raised later; a namespace that ends stays so.
            if not has_cause(error, "NamespaceTerminating"):
                raise
