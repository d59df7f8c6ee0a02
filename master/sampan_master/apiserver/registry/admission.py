"""Admission: what the cluster's state has to say about a new object, and what it fills in.

* NamespaceLifecycle: a namespace must exist and not be going.
* ServiceAccount: a pod gets `default` unless it names one, and the one it names must exist. `default` itself may be
  missing for a moment in a new namespace (its controller makes it): the pod's node waits for it. The pod gets a token
  (`api_access.py`) and, when it names none itself, the account's image pull secrets.
* Priority: the class's number and preemption policy are written into the pod.
* RuntimeClass: overhead and choice of nodes of the class a pod names are written into it; a class whose handler no node
  serves is refused to pods, since they could run nowhere.
* DefaultStorageClass: a claim that names no class gets the default one.
* CertificateSigningRequest: who asks is written by the server; nobody is made `system:masters` by our own authority.
* DefaultTolerationSeconds: a pod stays on a lost node for five minutes unless it says otherwise.
"""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.encoding.options import WriteOptions
from sampan_master.apiserver.registry.certificate_requesters import refuse_masters, write_requester
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.kinds import api_access, runtimeclasses, storageclasses
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.persistent import BETA_CLASS
from sampan_master.storage import Cache, Entry

_NOT_READY = "node.kubernetes.io/not-ready"
_UNREACHABLE = "node.kubernetes.io/unreachable"


class Admission:
    def __init__(self, cache: Cache, *, toleration_seconds: int = 300) -> None:
        self._cache = cache
        self._toleration_seconds = toleration_seconds

    async def on_create(self, rt: ResourceType, obj: Object, options: WriteOptions) -> None:
        """Changes `obj` in place. Raises NotFound and Forbidden."""
        if rt.namespaced:
            await self._namespace(rt, obj)
        if rt.kind == "Pod":
            await self._service_account(rt, obj)
            await self._priority(rt, obj)
            await self._runtime_class(rt, obj)
            self._tolerations(obj)
        elif rt.kind == "CertificateSigningRequest":
            write_requester(obj, options.user)
            refuse_masters(rt, obj)
        elif rt.kind == "Node":
            _not_ready_taint(obj)
        elif rt.kind == "RuntimeClass":
            if not await self._is_served(obj):
                said = f'handler "{obj["handler"]}" is served by no node: pods of this class are refused'
                options.warnings.append(said)
        elif rt.kind == "PersistentVolumeClaim":
            await self._storage_class(obj)

    def on_update(self, rt: ResourceType, new: Object, old: Object) -> None:
        if rt.kind == "Pod":
            self._tolerations(new)

    def _objects(self, resource: str) -> list[Object]:
        return [entry.obj for entry in self._cache.list(f"/registry/{resource}/").entries]

    async def _runtime_class(self, rt: ResourceType, obj: Object) -> None:
        spec = obj["spec"]
        name, chosen = spec.get("runtimeClassName"), None
        if name:
            entry = await self._find(f"/registry/runtimeclasses/{name}")
            if entry is None:
                raise problems.forbidden(rt, _name(obj), f'pod rejected: RuntimeClass "{name}" not found')
            chosen = entry.obj
            if not await self._is_served(chosen):
                why = f'pod rejected: RuntimeClass "{name}": no node serves its handler "{chosen["handler"]}"'
                raise problems.forbidden(rt, _name(obj), why)
        why = runtimeclasses.refusal(spec, chosen)
        if why:
            raise problems.forbidden(rt, _name(obj), why)
        if chosen is not None:
            runtimeclasses.complete(spec, chosen)

    async def _is_served(self, runtime_class: Object) -> bool:
        handler = runtime_class["handler"]
        if handler not in runtimeclasses.handlers(self._objects("nodes")):
            await self._cache.fresh()
        return handler in runtimeclasses.handlers(self._objects("nodes"))

    async def _storage_class(self, obj: Object) -> None:
        named = (obj["metadata"].get("annotations") or {}).get(BETA_CLASS)
        if named or obj["spec"].get("storageClassName") is not None:
            return
        await self._cache.fresh()
        chosen = storageclasses.default_class(self._objects("storageclasses"))
        if chosen:
            obj["spec"]["storageClassName"] = chosen

    async def _find(self, key: str) -> Entry | None:
        """The cache first; a miss is believed only when the cache is known to be current."""
        entry = self._cache.get(key)
        if entry is None:
            await self._cache.fresh()
            entry = self._cache.get(key)
        return entry

    async def _namespace(self, rt: ResourceType, obj: Object) -> None:
        name = obj["metadata"]["namespace"]
        with problems.translated(rt, name):
            entry = await self._find(f"/registry/namespaces/{name}")
        if entry is None:
            raise problems.namespace_not_found(name)
        if entry.obj["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {name} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
            raise problems.forbidden(rt, _name(obj), why, causes=[cause])

    async def _service_account(self, rt: ResourceType, obj: Object) -> None:
        spec = obj["spec"]
        account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = account
        namespace = obj["metadata"]["namespace"]
        entry = await self._find(f"/registry/serviceaccounts/{namespace}/{account}")
        if entry is None and account != "default":
            why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise problems.forbidden(rt, _name(obj), why)
        found = entry.obj if entry is not None else None
        if api_access.is_wanted(spec, found):
            api_access.mount(spec)
        secrets = (found or {}).get("imagePullSecrets")
        if secrets and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = secrets

    async def _priority(self, rt: ResourceType, obj: Object) -> None:
        spec = obj["spec"]
        name = spec.get("priorityClassName")
        if name:
            entry = await self._find(f"/registry/priorityclasses/{name}")
            if entry is None:
                raise problems.forbidden(rt, _name(obj), f"no PriorityClass with name {name} was found")
            chosen: Object | None = entry.obj
        else:
            chosen = self._global_default()
            if chosen is not None:
                spec["priorityClassName"] = chosen["metadata"]["name"]
        value = 0 if chosen is None else int(chosen.get("value") or 0)
        if spec.get("priority") is not None and spec["priority"] != value:
            why = (
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec;"
                f" priority admission controller computed {value} from the given PriorityClass name"
            )
            raise problems.forbidden(rt, _name(obj), why)
        spec["priority"] = value
        policy = (chosen or {}).get("preemptionPolicy") or "PreemptLowerPriority"
        spec.setdefault("preemptionPolicy", policy)

    def _global_default(self) -> Object | None:
        entries = self._cache.list("/registry/priorityclasses/").entries
        defaults = [entry.obj for entry in entries if entry.obj.get("globalDefault")]
        return min(defaults, key=lambda pc: int(pc.get("value") or 0), default=None)

    def _tolerations(self, obj: Object) -> None:
        tolerations: list[dict[str, Any]] = list(obj["spec"].get("tolerations") or [])
        for key in (_NOT_READY, _UNREACHABLE):
            if not any(_covers(toleration, key) for toleration in tolerations):
                tolerations.append(
                    {
                        "key": key,
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": self._toleration_seconds,
                    }
                )
        obj["spec"]["tolerations"] = tolerations


def _covers(toleration: dict[str, Any], key: str) -> bool:
    return toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")


def _not_ready_taint(obj: Object) -> None:
    """Admission TaintNodesByCondition: a new node takes no pods until the node controller has seen it Ready."""
    spec = obj.setdefault("spec", {})
    taints = list(spec.get("taints") or [])
    if not any(t.get("key") == _NOT_READY and t.get("effect") == "NoSchedule" for t in taints):
        spec["taints"] = [*taints, {"key": _NOT_READY, "effect": "NoSchedule"}]


def _name(obj: Object) -> str:
    return str(obj["metadata"].get("name") or obj["metadata"].get("generateName", ""))
