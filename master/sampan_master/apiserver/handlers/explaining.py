"""The scheduler's own answers, beside the Kubernetes API and not in discovery; `questions` says what can be asked.

Who asks why must be allowed to get the pod and to list nodes, which the answer names; pods of others are named to those
only who may list pods everywhere. Who asks what if must be allowed to create what is asked about, and to list pods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sampan_api.client import UserInfo
from sampan_api.errors import MethodNotAllowed, ServiceUnavailable
from sampan_api.meta import Object

from sampan_master import questions
from sampan_master.apiserver.auth import authorization
from sampan_master.apiserver.auth.authorization import Attributes
from sampan_master.apiserver.encoding.decoding import decode
from sampan_master.apiserver.encoding.options import FieldValidation, WriteOptions
from sampan_master.apiserver.http.requests import ApiRequest
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.resources.table import ResourceTable

PATHS = (questions.WHY, questions.WHATIF)
_LIST_PODS = Attributes("list", resource="pods")
_LIST_NODES = Attributes("list", resource="nodes")


class Answers(Protocol):
    """What a scheduler can be asked; `draft` makes of a manifest what a creation would store."""

    def why(self, pod: Object, *, names_pods: bool) -> dict[str, Any]: ...

    async def whatif(self, objects: list[Object], draft: Any) -> dict[str, Any]: ...


class NoAnswers:
    """Of a server without a scheduler."""

    def why(self, pod: Object, *, names_pods: bool) -> dict[str, Any]:
        raise _nobody()

    async def whatif(self, objects: list[Object], draft: Any) -> dict[str, Any]:
        raise _nobody()


def _nobody() -> ServiceUnavailable:
    return ServiceUnavailable("this API server has no scheduler beside it")


class Explaining:
    """`answers` gives whom to ask now."""

    def __init__(self, registry: Registry, table: ResourceTable, answers: Callable[[], Answers]) -> None:
        self._registry, self._table, self._answers = registry, table, answers

    async def why(self, request: ApiRequest) -> None:
        namespace, name = questions.read_why(await _body(request))
        authorization.authorise(request.user, Attributes("get", resource="pods", namespace=namespace, name=name))
        authorization.authorise(request.user, _LIST_NODES)
        pod = (await self._registry.get(self._type("v1", "Pod"), namespace, name)).obj
        names_pods = authorization.is_allowed(request.user, _LIST_PODS)
        await request.answer_object(self._answers().why(pod, names_pods=names_pods))

    async def whatif(self, request: ApiRequest) -> None:
        body = await _body(request)
        authorization.authorise(request.user, _LIST_NODES)
        authorization.authorise(request.user, _LIST_PODS)
        objects = questions.read_whatif(body)
        for obj in objects:
            self._authorise(request.user, obj)

        async def draft(obj: Object) -> Object:
            return await self._draft(obj, request.user)

        await request.answer_object(await self._answers().whatif(objects, draft))

    def _authorise(self, user: UserInfo, obj: Object) -> None:
        rt, metadata = self._type(obj["apiVersion"], obj["kind"]), obj["metadata"]
        if rt.namespaced:
            metadata.setdefault("namespace", "default")
        namespace = metadata["namespace"] if rt.namespaced else ""
        authorization.authorise(user, Attributes("create", group=rt.group, resource=rt.plural, namespace=namespace))

    async def _draft(self, obj: Object, user: UserInfo) -> Object:
        """A creation that ends before the store."""
        rt = self._type(obj["apiVersion"], obj["kind"])
        namespace = obj["metadata"].get("namespace", "") if rt.namespaced else ""
        options = WriteOptions(dry_run=True, validation=FieldValidation.STRICT, manager="whatif", user=user)
        decoded = decode(obj, obj["apiVersion"], obj["kind"], options)
        written = await self._registry.create(rt, namespace, decoded, options)
        return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **written.obj}

    def _type(self, api_version: str, kind: str) -> ResourceType:
        group, _, version = api_version.rpartition("/")
        for rt in self._table.types:
            if (rt.group, rt.version, rt.kind) == (group, version, kind) and rt.conversion is None:
                return rt
        raise questions.no_kind({"apiVersion": api_version, "kind": kind})


async def _body(request: ApiRequest) -> bytes:
    if request.method != "POST":
        raise MethodNotAllowed(problems.NO_METHOD, {})
    return await request.body()
