"""A file with a `KubeSchedulerConfiguration` becomes a `SchedulerConfig`.

All that is wrong is told at once. What is right in Kubernetes but changes nothing here is warned about, in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
from sampan_api.documents import DecodeError, decode_yaml

from sampan_master.scheduler import policies
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.configuration import models, points
from sampan_master.scheduler.configuration.complaints import complaints, joined
from sampan_master.scheduler.configuration.registry import KNOWN, POINTS_OF, ArgsError
from sampan_master.scheduler.configuration.scoring_only import scoring_only
from sampan_master.scheduler.plugins import node_affinity
from sampan_master.scheduler.plugins.plugin import Plugin
from sampan_master.scheduler.profile import Candidates, Profile

log = logging.getLogger(__name__)

_DEFAULT_NAME = "default-scheduler"


class ConfigError(Exception):
    """What is wrong in which file, a line for each field."""


def read_config(path: Path | None, *, standalone: bool = False) -> SchedulerConfig:
    """`standalone`: for a scheduler that is a process of its own. Raises ConfigError, OSError."""
    if path is None:
        return SchedulerConfig()
    try:
        data = decode_yaml(path.read_bytes(), strict=True)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    wrong: list[str] = []
    configuration = _model(models.Configuration, data, "", wrong)
    if configuration is None:
        raise ConfigError("\n".join(f"{path}: {line}" for line in wrong))
    profiles = _profiles(configuration, path.parent, wrong)
    wrong += _impossible(configuration)
    if wrong:
        raise ConfigError("\n".join(f"{path}: {line}" for line in wrong))
    for warning in _warnings(configuration, standalone):
        log.warning("%s: %s", path, warning)
    return SchedulerConfig(
        profiles=profiles,
        seed=configuration.sampan.seed,
        binds_in_flight=configuration.sampan.bindsInFlight,
        initial_backoff_seconds=configuration.podInitialBackoffSeconds,
        max_backoff_seconds=configuration.podMaxBackoffSeconds,
        process=_process(configuration),
    )


def _model(model: type[Any], data: Any, path: str, wrong: list[str]) -> Any:
    """None, and what is wrong, when the data do not fit."""
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        wrong += complaints(model, error, path)
        return None


def _profiles(configuration: models.Configuration, directory: Path, wrong: list[str]) -> tuple[Profile, ...]:
    given = configuration.profiles or [models.Profile()]
    found, seen = [], dict[str, int]()
    for i, profile in enumerate(given):
        path, name = f"profiles[{i}]", profile.schedulerName
        if not name and len(given) == 1:
            name = _DEFAULT_NAME
        elif not name:
            wrong.append(f"{path}.schedulerName: Required value: each of several profiles needs one")
        elif name in seen:
            wrong.append(f'{path}.schedulerName: "{name}" is that of profiles[{seen[name]}] already')
        seen[name] = i
        before = len(wrong)
        wrong += points.problems(profile.plugins, POINTS_OF, f"{path}.plugins")
        made = _made(profile, f"{path}.pluginConfig", wrong)
        own = _policies(profile, f"{path}.sampan.policies", directory, wrong)
        if len(wrong) == before:
            found.append(_profile(name, path, profile, made, own, wrong))
    return tuple(found)


@dataclass(slots=True)
class _Made:
    """What the arguments of a profile, and the defaults of those it does not give, make."""

    plugins: dict[str, tuple[Plugin, ...]]
    candidates: Candidates


def _made(profile: models.Profile, path: str, wrong: list[str]) -> _Made:
    made = _Made({}, Candidates())
    for name, known in KNOWN.items():
        if known.make is not None and not any(given.name == name for given in profile.pluginConfig):
            made.plugins[name] = known.make({} if known.args is None else known.args())
    seen: set[str] = set()
    for i, given in enumerate(profile.pluginConfig):
        if given.name not in KNOWN:
            wrong.append(f"{path}[{i}].name: {points.unknown(given.name, KNOWN)}")
            continue
        if given.name in seen:
            wrong.append(f'{path}[{i}]: repeated config for plugin "{given.name}"')
        seen.add(given.name)
        _make(made, given, f"{path}[{i}].args", wrong)
    return made


def _make(made: _Made, given: models.PluginConfig, path: str, wrong: list[str]) -> None:
    name, known = given.name, KNOWN[given.name]
    kind = given.args.get("kind", f"{name}Args")
    if kind != f"{name}Args":
        wrong.append(f'{path}.kind: must be "{name}Args", not "{kind}"')
    args = given.args if known.args is None else _model(known.args, given.args, path, wrong)
    if isinstance(args, models.DefaultPreemptionArgs):
        made.candidates = Candidates(args.minCandidateNodesPercentage, args.minCandidateNodesAbsolute)
    if args is not None and known.make is not None:
        try:
            made.plugins[name] = known.make(args)
        except ArgsError as error:
            wrong += [f"{path}.{line}" for line in str(error).split("\n")]


def _policies(
    profile: models.Profile, path: str, directory: Path, wrong: list[str]
) -> list[tuple[policies.Policy, int]]:
    found: dict[str, tuple[policies.Policy, int]] = {}
    for i, given in enumerate(profile.sampan.policies):
        name = Path(given.path).stem
        if name in found or name in KNOWN:
            wrong.append(f'{path}[{i}].path: "{name}" is the name of another policy or plugin: call the file otherwise')
            continue
        found[name] = policies.load(directory / given.path, given.timeoutSeconds), given.weight
    return list(found.values())


def _profile(
    name: str,
    path: str,
    profile: models.Profile,
    made: _Made,
    own: list[tuple[policies.Policy, int]],
    wrong: list[str],
) -> Profile:
    running = points.running(profile.plugins, POINTS_OF)
    if not running.at["queueSort"]:
        wrong.append(f"{path}.plugins.queueSort: one queue sort plugin is required: enable PrioritySort")
    if not running.at["bind"]:
        wrong.append(f"{path}.plugins.bind: at least one bind plugin is needed: enable DefaultBinder")
    weights = {plugin: weight for plugin, weight in running.weights.items() if plugin in made.plugins}
    return Profile(
        name,
        (*_plugins(running, made.plugins), *(policy.plugin for policy, _ in own if policy.plugin is not None)),
        weights | {policy.name: weight for policy, weight in own},
        made.candidates if "DefaultPreemption" in running.at["postFilter"] else None,
        tuple(policy for policy, _ in own),
    )


def _plugins(running: points.Running, made: dict[str, tuple[Plugin, ...]]) -> Iterator[Plugin]:
    """Those that filter in their order, then those that score alone."""
    filters = [name for name in running.at["filter"] if name in made]
    if "NodeAffinity" in filters and "NodeAffinity" in running.at["preFilter"]:
        yield node_affinity.NAMED
    for name in filters:
        yield from (plugin for plugin in made[name] if plugin is not node_affinity.NAMED)
    for name in running.at["score"]:
        if name in made and name not in filters:
            yield from (scoring_only(plugin) for plugin in made[name] if plugin is not node_affinity.NAMED)


def _impossible(configuration: models.Configuration) -> Iterator[str]:
    if configuration.extenders:
        yield "extenders: are not served: write a policy instead (sampan.policies of a profile)"
    if configuration.leaderElection.resourceNamespace != "kube-system":
        yield "leaderElection.resourceNamespace: must be kube-system, where the Lease is kept"


def _process(configuration: models.Configuration) -> dict[str, Any]:
    election, connection = configuration.leaderElection, configuration.clientConnection
    said = {
        "kubeconfig": Path(connection.kubeconfig) if connection.kubeconfig else None,
        "leader_elect": election.leaderElect,
        "leader_elect_lease_duration": election.leaseDuration,
        "leader_elect_renew_deadline": election.renewDeadline,
        "leader_elect_retry_period": election.retryPeriod,
        "leader_elect_resource_name": election.resourceName if "resourceName" in election.model_fields_set else None,
    }
    return {flag: value for flag, value in said.items() if value is not None}


def _warnings(configuration: models.Configuration, standalone: bool) -> Iterator[str]:
    connection = configuration.clientConnection
    for field in ("parallelism", "enableProfiling", "enableContentionProfiling"):
        if getattr(configuration, field):
            yield f"{field}: has no effect: one thread looks at all nodes at once, and nothing serves profiles"
    if configuration.percentageOfNodesToScore not in (None, 0, 100):
        yield "percentageOfNodesToScore: has no effect: all nodes are always looked at"
    for field in ("acceptContentTypes", "contentType"):
        if getattr(connection, field) not in ("", "application/json"):
            yield f"clientConnection.{field}: has no effect: the API is spoken to in JSON"
    for field in ("qps", "burst"):
        if getattr(connection, field) is not None:
            yield f"clientConnection.{field}: has no effect: bindings in flight are limited (sampan.bindsInFlight)"
    if not standalone and _process(configuration):
        yield "leaderElection, clientConnection: have no effect in the master, whose flags say how it elects"
    for i, profile in enumerate(configuration.profiles):
        yield from _profile_warnings(profile, f"profiles[{i}]")


def _profile_warnings(profile: models.Profile, path: str) -> Iterator[str]:
    if profile.percentageOfNodesToScore not in (None, 0, 100):
        yield f"{path}.percentageOfNodesToScore: has no effect: all nodes are always looked at"
    yield from points.warnings(profile.plugins, f"{path}.plugins")
    running = points.running(profile.plugins, POINTS_OF)
    named = {one.name for point in points.POINTS for one in getattr(profile.plugins, point).enabled}
    named |= {one.name for one in profile.plugins.multiPoint.enabled}
    for name in sorted(named | {given.name for given in profile.pluginConfig}):
        if not KNOWN[name].used:
            yield f"{path}: plugin {name} has no effect: there is nothing here for it to look at"
    for given in profile.pluginConfig:
        if not any(given.name in names for names in running.at.values()):
            yield joined(path, ("pluginConfig",)) + f": plugin {given.name} is enabled nowhere"
    if "SchedulingGates" not in running.at["preEnqueue"]:
        yield f"{path}.plugins: SchedulingGates cannot be switched off: pods with gates always wait"
    for before, after in (("preFilter", "filter"), ("preScore", "score")):
        for name in running.at[after]:
            used = KNOWN[name].make is not None and before in KNOWN[name].at
            if used and name not in running.at[before] and (name, before) != ("NodeAffinity", "preFilter"):
                yield f"{path}.plugins.{before}: {name} cannot be without it: it is part of its {after}"
