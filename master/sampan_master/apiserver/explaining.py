"""`/sampan/v1/why` and `/sampan/v1/whatif`: the scheduler's own answers, beside the Kubernetes API, not in discovery.

    POST /sampan/v1/why     {"namespace", "name"}   why that pod has no node
    POST /sampan/v1/whatif  {"objects": […]}        where the pods of these would go; nothing is stored

Who asks why must be allowed to get the pod and to list nodes, which the answer names; pods of others are named to those
only who may list pods everywhere. Who asks what if must be allowed to create what is asked about, and to list pods.
"""

from __future__ import annotations

from typing import Any, Protocol

import orjson
from sampan_api.client import UserInfo
from sampan_api.errors import BadRequest, MethodNotAllowed, ServiceUnavailable
from sampan_api.meta import Object

from sampan_master.apiserver import auth, problems
from sampan_master.apiserver.auth import Attributes
from sampan_master.apiserver.decoding import decode
from sampan_master.apiserver.options import FieldValidation, WriteOptions
from sampan_master.apiserver.registry import Registry
from sampan_master.apiserver.requests import ApiRequest
from sampan_master.apiserver.resource import ResourceType
from sampan_master.apiserver.resources import ResourceTable

PATHS = ("/sampan/v1/why", "/sampan/v1/whatif")
_LIST_PODS = Attributes("list", resource="pods")
_LIST_NODES = Attributes("list", resource="nodes")
_TAKEN = "-whatif"


class Answers(Protocol):
    """What a scheduler can be asked; `draft` makes of a manifest what a creation would store."""

    def why(self, pod: Object, *, names_pods: bool) -> dict[str, Any]: ...

    async def whatif(self, objects: list[Object], draft: Any) -> dict[str, Any]: ...


class NoAnswers:
    """Of a master without a scheduler."""

    def why(self, pod: Object, *, names_pods: bool) -> dict[str, Any]:
        raise _nobody()

    async def whatif(self, objects: list[Object], draft: Any) -> dict[str, Any]:
        raise _nobody()


def _nobody() -> ServiceUnavailable:
    return ServiceUnavailable("this API server has no scheduler beside it")


class Explaining:
    def __init__(self, registry: Registry, table: ResourceTable, answers: Any) -> None:
        self._registry, self._table, self._answers = registry, table, answers

    async def why(self, request: ApiRequest) -> None:
        asked = await _body(request)
        namespace, name = _text(asked, "namespace"), _text(asked, "name")
        auth.authorise(request.user, Attributes("get", resource="pods", namespace=namespace, name=name))
        auth.authorise(request.user, _LIST_NODES)
        pod = (await self._registry.get(self._type("v1", "Pod"), namespace, name)).obj
        names_pods = auth.is_allowed(request.user, _LIST_PODS)
        answers: Answers = self._answers()
        await request.answer_object(answers.why(pod, names_pods=names_pods))

    async def whatif(self, request: ApiRequest) -> None:
        asked = await _body(request)
        objects = asked.get("objects")
        if not isinstance(objects, list) or not all(isinstance(obj, dict) for obj in objects):
            raise BadRequest("objects: Invalid value: must be a list of manifests")
        auth.authorise(request.user, _LIST_NODES)
        auth.authorise(request.user, _LIST_PODS)
        for i, obj in enumerate(objects):
            self._check(request.user, obj, f"objects[{i}]")
        answers: Answers = self._answers()

        async def draft(obj: Object) -> Object:
            return await self._draft(obj, request.user)

        await request.answer_object(await answers.whatif(objects, draft))

    def _check(self, user: UserInfo, obj: Object, path: str) -> None:
        rt = self._type(_text(obj, "apiVersion", path), _text(obj, "kind", path))
        metadata = obj.get("metadata")
        if not isinstance(metadata, dict):
            raise BadRequest(f"{path}.metadata: Required value: an object with a name")
        if rt.namespaced:
            metadata.setdefault("namespace", "default")
        namespace = metadata.get("namespace", "") if rt.namespaced else ""
        auth.authorise(user, Attributes("create", group=rt.group, resource=rt.plural, namespace=namespace))

    async def _draft(self, obj: Object, user: UserInfo) -> Object:
        """A creation that ends before the store. A name that is taken stands for another one: replicas of what there
        is may be asked about, too."""
        rt = self._type(obj["apiVersion"], obj["kind"])
        namespace = obj["metadata"].get("namespace", "") if rt.namespaced else ""
        name = obj["metadata"].get("name", "")
        if name and self._registry.storage.cache.get(rt.key(namespace, name)) is not None:
            metadata = {**obj["metadata"], "name": f"{name[: 63 - len(_TAKEN)]}{_TAKEN}"}
            drafted = await self._draft({**obj, "metadata": metadata}, user)
            return {**drafted, "metadata": {**drafted["metadata"], "name": name}}
        options = WriteOptions(dry_run=True, validation=FieldValidation.STRICT, manager="whatif", user=user)
        decoded = decode(obj, obj["apiVersion"], obj["kind"], options)
        written = await self._registry.create(rt, namespace, decoded, options)
        return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **written.obj}

    def _type(self, api_version: str, kind: str) -> ResourceType:
        group, _, version = api_version.rpartition("/")
        for rt in self._table.types:
            if (rt.group, rt.version, rt.kind) == (group, version, kind) and rt.conversion is None:
                return rt
        raise BadRequest(f'no matches for kind "{kind}" in version "{api_version}"')


async def _body(request: ApiRequest) -> dict[str, Any]:
    if request.method != "POST":
        raise MethodNotAllowed(problems.NO_METHOD, {})
    try:
        asked = orjson.loads(await request.body())
    except ValueError as error:
        raise BadRequest(f"the body of the request is not JSON: {error}") from error
    if not isinstance(asked, dict):
        raise BadRequest("the body of the request must be a JSON object")
    return asked


def _text(obj: dict[str, Any], field: str, path: str = "") -> str:
    value = obj.get(field)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{path}{'.' * bool(path)}{field}: Required value: a text")
    return value
