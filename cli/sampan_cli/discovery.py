"""Which resources the server has, under which names. Kept on disk per server; asked again when a name is missing."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from sampan_cli.errors import CliError, ServerError
from sampan_cli.rest import Api

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


class Resource(NamedTuple):
    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    shorts: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`pods`, `replicasets.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_singular(self) -> str:
        """What `-o name` and the messages use: `pod`, `replicaset.apps`."""
        singular = self.singular or self.kind.lower()
        return f"{singular}.{self.group}" if self.group else singular

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Without a namespace: all of them, or a cluster-scoped one."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        end = f"/{name}" if name else ""
        return f"{base}{middle}/{self.plural}{end}" + (f"/{subresource}" if subresource else "")


class Discovery:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._resources: list[Resource] | None = None
        self._fresh = False

    def resolve(self, word: str) -> Resource:
        """By plural, singular, short name or kind, each with or without `.group` or `.version.group`."""
        found = self._search(word.lower())
        if found is None and not self._fresh:
            self._fetch()
            found = self._search(word.lower())
        if found is None:
            raise CliError(f'error: the server doesn\'t have a resource type "{word}"{self._meant(word)}')
        return found

    def _meant(self, word: str) -> str:
        from difflib import get_close_matches

        names = [name for r in self._known() for name in (r.plural, r.singular) if name]
        close = get_close_matches(word.lower(), names, n=1, cutoff=0.75)
        return f'; did you mean "{close[0]}"?' if close else ""

    def category(self, word: str) -> list[Resource]:
        """`all` and the like."""
        return [r for r in self._known() if word in r.categories and "list" in r.verbs]

    def listable(self) -> list[Resource]:
        return [r for r in self._known() if "list" in r.verbs]

    def for_object(self, api_version: str, kind: str) -> Resource | None:
        group, _, version = api_version.rpartition("/")

        def search() -> Resource | None:
            matches = (r for r in self._known() if r.kind == kind and r.group == group and r.version == version)
            return next(matches, None)

        found = search()
        if found is None and not self._fresh:
            self._fetch()
            found = search()
        return found

    def _search(self, word: str) -> Resource | None:
        name, _, group = word.partition(".")
        version = ""
        for candidate in self._known():
            if name not in (candidate.plural, candidate.singular, candidate.kind.lower(), *candidate.shorts):
                continue
            version = f"{candidate.version}.{candidate.group}".rstrip(".")
            if group in ("", candidate.group, version):
                return candidate
        return None

    def _known(self) -> list[Resource]:
        if self._resources is None:
            self._resources = _read_cache(_cache_path(self._api), self._api.access.ca_pem)
        if self._resources is None:
            self._fetch()
        return self._resources or []

    def _fetch(self) -> None:
        self._resources = [*_list(self._api, "/api"), *_list(self._api, "/apis")]
        self._fresh = True
        _write_cache(_cache_path(self._api), self._api.access.ca_pem, self._resources)


def _cache_path(api: Api) -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    server = "".join(c if c.isalnum() or c in ".-" else "_" for c in api.access.server)
    return f"{base}/sampan/discovery/{server}.json"


def _read_cache(path: str, ca_pem: str) -> list[Resource] | None:
    """None for another cluster's: one that had the same address and another authority."""
    try:
        with open(path, "rb") as file:
            kept = json.loads(file.read())
        return [_from_cache(entry) for entry in kept["resources"]] if kept["ca"] == ca_pem else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _from_cache(entry: dict[str, Any]) -> Resource:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Resource(**fields)


def _write_cache(path: str, ca_pem: str, resources: list[Resource]) -> None:
    """A cache: a home that cannot be written costs two requests per command, not the command."""
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "w") as file:
            json.dump({"ca": ca_pem, "resources": [r._asdict() for r in resources]}, file)
        os.replace(temporary, path)
    except OSError:
        return


def _list(api: Api, root: str) -> list[Resource]:
    answer = api.call("GET", root, accept=AGGREGATED)
    if answer.get("kind") == "APIGroupDiscoveryList":
        return [
            _aggregated(item["metadata"].get("name", ""), version["version"], entry)
            for item in answer["items"]
            for version in item["versions"]
            for entry in version.get("resources") or []
        ]
    if answer.get("kind") == "APIVersions":
        group_versions = [("", v) for v in answer["versions"]]
    else:
        group_versions = [(g["name"], v["version"]) for g in answer["groups"] for v in g["versions"]]
    return [resource for group, version in group_versions for resource in _unaggregated(api, group, version)]


def _aggregated(group: str, version: str, entry: dict[str, Any]) -> Resource:
    return Resource(
        group=group,
        version=version,
        plural=entry["resource"],
        singular=entry.get("singularResource", ""),
        kind=entry["responseKind"]["kind"],
        namespaced=entry["scope"] == "Namespaced",
        shorts=tuple(entry.get("shortNames") or ()),
        categories=tuple(entry.get("categories") or ()),
        verbs=tuple(entry.get("verbs") or ()),
    )


def _unaggregated(api: Api, group: str, version: str) -> list[Resource]:
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    try:
        entries = api.call("GET", path)["resources"]
    except ServerError:
        return []
    return [
        Resource(
            group=group,
            version=version,
            plural=entry["name"],
            singular=entry.get("singularName", ""),
            kind=entry["kind"],
            namespaced=entry["namespaced"],
            shorts=tuple(entry.get("shortNames") or ()),
            categories=tuple(entry.get("categories") or ()),
            verbs=tuple(entry.get("verbs") or ()),
        )
        for entry in entries
        if "/" not in entry["name"]
    ]
