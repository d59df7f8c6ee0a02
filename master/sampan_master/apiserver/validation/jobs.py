"""The spec of a Job, its own or the one in a CronJob."""

from __future__ import annotations

import re
from typing import Any

from sampan_master.apiserver.validation.fields import (
    Errors,
    go_quote,
    invalid,
    one_of,
    required,
    too_long,
    unsupported,
)
from sampan_master.apiserver.validation.job_policies import validate_failure_policy, validate_success_policy
from sampan_master.apiserver.validation.names import complain, dns_subdomain
from sampan_master.apiserver.validation.numbers import non_negative
from sampan_master.apiserver.validation.templates import validate_template

_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_MOST = 100_000
"""Of parallelism and of failed indexes; the lists of indexes in the status must stay within bounds."""
_MOST_OF_MANY = 10_000
"""The same when there are more than `_MOST` completions."""
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_LONGEST_MANAGER = 63
_RESTARTS = ("OnFailure", "Never")


def validate_job_spec(spec: dict[str, Any], path: str) -> Errors:
    """All but the selector, which a CronJob's template does not have."""
    for field in _COUNTS:
        yield from non_negative(spec.get(field), f"{path}.{field}")
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if spec.get("managedBy") is not None:
        yield from _manager(spec["managedBy"], f"{path}.managedBy")
    mode = spec.get("completionMode", "NonIndexed")
    if mode == "Indexed":
        yield from _indexed(spec, path)
    elif mode != "NonIndexed":
        yield unsupported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed"))
    else:
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(field) is not None:
                yield invalid(f"{path}.{field}", spec[field], "requires indexed completion mode")
    if spec.get("podFailurePolicy") is not None:
        yield from validate_failure_policy(spec, f"{path}.podFailurePolicy")
    if spec.get("successPolicy") is not None:
        if mode == "Indexed":
            yield from validate_success_policy(spec, f"{path}.successPolicy")
        else:
            yield invalid(f"{path}.successPolicy", spec["successPolicy"], "requires indexed completion mode")
    yield from _replacement(spec, f"{path}.podReplacementPolicy")
    yield from validate_template(spec["template"], f"{path}.template")
    yield from _restarts(spec, f"{path}.template.spec.restartPolicy")


def _manager(name: str, path: str) -> Errors:
    if not name:
        yield required(path)
    else:
        domain, _, rest = name.partition("/")
        if not domain or not rest:
            yield invalid(path, name, 'must be a domain-prefixed path (such as "acme.io/foo")')
        else:
            yield from complain(path, domain, dns_subdomain(domain))
            if not re.fullmatch(_HTTP_PATH, rest):
                yield invalid(path, rest, f"Invalid path (regex used for validation is '{_HTTP_PATH}')")
    if len(name.encode()) > _LONGEST_MANAGER:
        yield too_long(path, _LONGEST_MANAGER)


def _indexed(spec: dict[str, Any], path: str) -> Errors:
    completions, parallelism, failed = (spec.get(field) for field in ("completions", "parallelism", "maxFailedIndexes"))
    if completions is None:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    if parallelism is not None and parallelism > _MOST:
        said = f"must be less than or equal to {_MOST} when completion mode is Indexed"
        yield invalid(f"{path}.parallelism", parallelism, said)
    if failed is not None:
        if completions is not None and failed > completions:
            yield invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")
        if failed > _MOST:
            yield invalid(f"{path}.maxFailedIndexes", failed, f"must be less than or equal to {_MOST}")
    if completions is None or completions <= _MOST or spec.get("backoffLimitPerIndex") is None:
        return
    if failed is None:
        yield required(f"{path}.maxFailedIndexes", f"must be specified when completions is above {_MOST}")
    for field, count in (("parallelism", parallelism), ("maxFailedIndexes", failed)):
        if count is not None and count > _MOST_OF_MANY:
            said = (
                f"must be less than or equal to {_MOST_OF_MANY} when completions are above {_MOST} and used with"
                " backoff limit per index"
            )
            yield invalid(f"{path}.{field}", count, said)


def _replacement(spec: dict[str, Any], path: str) -> Errors:
    policy = spec.get("podReplacementPolicy")
    supported = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    yield from one_of(policy, supported, path)


def _restarts(spec: dict[str, Any], path: str) -> Errors:
    policy = spec["template"]["spec"].get("restartPolicy", "")
    if policy in ("", "Always"):
        yield required(path, f"valid values: {', '.join(map(go_quote, _RESTARTS))}")
    elif policy not in _RESTARTS:
        yield unsupported(path, policy, _RESTARTS)
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        yield invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')
