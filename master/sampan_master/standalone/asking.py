"""The scheduler's answers at its own port. Who may reach the port may ask; the API server is asked with the scheduler's
rights, so manifests are drafted only as far as it may create them (a dry run is a creation)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sampan_api.client import (
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    PRIORITYCLASSES,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    SERVICES,
    STATEFULSETS,
)
from sampan_api.errors import ServiceUnavailable
from sampan_api.https import HttpsClient
from sampan_api.meta import Object

from sampan_master import questions
from sampan_master.scheduler import Answers
from sampan_master.standalone.serving import Post

_KNOWN = {
    (resource.api_version, resource.kind): resource
    for resource in (
        CRONJOBS, DAEMONSETS, DEPLOYMENTS, JOBS, NAMESPACES, NODES, PODS, PRIORITYCLASSES, REPLICASETS,
        REPLICATIONCONTROLLERS, SERVICES, STATEFULSETS,
    )
}  # fmt: skip
"""What makes pods, or has a say in where they go."""


class Asking:
    def __init__(self) -> None:
        self.answers = Answers()
        self._client: HttpsClient | None = None

    @contextmanager
    def through(self, client: HttpsClient) -> Iterator[None]:
        """Inside the block the API server is asked by this client."""
        self._client = client
        try:
            yield
        finally:
            self._client = None

    @property
    def posts(self) -> dict[str, Post]:
        return {questions.WHY: self._why, questions.WHATIF: self._whatif}

    async def _why(self, body: bytes) -> Object:
        namespace, name = questions.read_why(body)
        return self.answers.why(await self._present().get(PODS, name, namespace), names_pods=True)

    async def _whatif(self, body: bytes) -> Object:
        objects = questions.read_whatif(body)
        for obj in objects:
            resource = _KNOWN.get((obj["apiVersion"], obj["kind"]))
            if resource is None:
                raise questions.no_kind(obj)
            if resource.namespaced:
                obj["metadata"].setdefault("namespace", "default")
        return await self.answers.whatif(objects, self._draft)

    async def _draft(self, obj: Object) -> Object:
        resource = _KNOWN[obj["apiVersion"], obj["kind"]]
        return await self._present().draft(resource, obj, obj["metadata"].get("namespace", ""))

    def _present(self) -> HttpsClient:
        if self._client is None:
            raise ServiceUnavailable("this scheduler is not the leader: ask the one that holds the Lease")
        return self._client
