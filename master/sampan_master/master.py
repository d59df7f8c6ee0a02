"""The composition: which parts the master has, in which order they start, and what it leaves in its data directory.

Store → cache → API server → node link → scheduler and controllers; each needs only those before it. The scheduler and
the controllers are restarted when they fail, with back-off; the process and all else go on meanwhile. Each works while
it holds its Lease, so that several masters may share one store, and real ones of Kubernetes may take their place.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

from sampan_api.client import Client, UserInfo
from sampan_api.clock import Clock
from sampan_api.election import Election
from sampan_api.meta import Object

from sampan_master import controllers, data_dir, leadership, scheduler
from sampan_master.apiserver.resources.resource_type import ServiceNetwork
from sampan_master.apiserver.server import ApiServer, ApiServerConfig
from sampan_master.keep_running import keep_running
from sampan_master.nodelink import NodeLink, NodeLinkSettings
from sampan_master.pki import ADMIN_GROUP, ADMIN_NAME, Authority, kubeconfig, write_private
from sampan_master.settings import Address, Settings
from sampan_master.storage import Cache, Storage, Store
from sampan_master.storage.audit import audit_periodically
from sampan_master.storage.compaction import compact_periodically
from sampan_master.storage.etcd import EtcdStore
from sampan_master.storage.memory import MemoryStore
from sampan_master.token_file import read_tokens

log = logging.getLogger(__name__)

SCHEDULER, CONTROLLERS = "kube-scheduler", "kube-controller-manager"
"""The names of the Leases and of the writers, which are their counterparts'."""
KUBELET = "kubelet"
"""What managedFields call the node link: tools that look for the writer of a pod's status look for this name."""
IN_CLUSTER_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Master:
    """A running master: its parts, and where it can be reached (ports may have been chosen by the kernel)."""

    storage: Storage
    api: ApiServer
    node_link: NodeLink
    authority: Authority
    api_addresses: tuple[Address, ...]


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[Master]:
    """Everything up and serving inside the block, and down again after it, in the opposite order."""
    scheduler_config = scheduler.read_config(settings.scheduler_config)
    async with AsyncExitStack() as stack:
        stack.enter_context(data_dir.claimed(settings.data_dir))
        authority = Authority.load_or_create(settings.data_dir / "pki", clock)
        store: Store = EtcdStore(settings.etcd, clock) if settings.etcd else MemoryStore(clock)
        stack.push_async_callback(store.close)
        log.info("the store is %s", f"etcd at {settings.etcd}" if settings.etcd else "in memory")
        cache = Cache(store, clock, indexes={"pods": _node_of})
        stack.push_async_callback(cache.stop)
        await cache.start()
        storage = Storage(store, cache)
        api = ApiServer(storage, _api_config(settings, authority), clock)
        await api.start()
        stack.push_async_callback(api.stop)
        node_link = NodeLink(
            api.client(UserInfo("system:sampan:node-link", [ADMIN_GROUP]), KUBELET),
            clock,
            authority,
            _link_settings(settings, authority),
        )
        await node_link.start()
        stack.push_async_callback(node_link.stop)
        api.use_streams(node_link)
        addresses = tuple(Address(*address[:2]) for address in api.addresses) or settings.listen
        write_access_files(settings, authority, addresses, node_link)
        background = _background(settings, scheduler_config, authority, store, cache, api, clock)
        tasks = [asyncio.create_task(keep_running(name, part, clock), name=name) for name, part in background.items()]
        stack.push_async_callback(_cancel, tasks)
        gc.collect()
        # What is alive now stays; the collector need not look at it again.
        gc.freeze()
        yield Master(storage, api, node_link, authority, addresses)


def write_access_files(
    settings: Settings, authority: Authority, addresses: tuple[Address, ...], node_link: NodeLink
) -> None:
    """admin.kubeconfig for people, join.json for agents."""
    admin = authority.client_pair("admin", ADMIN_NAME, [ADMIN_GROUP])
    first = addresses[0]
    server = first._replace(host="127.0.0.1") if first.unspecified else first
    config = kubeconfig(settings.cluster, f"https://{server}", authority.ca_pem, admin)
    write_private(settings.data_dir / "admin.kubeconfig", config)
    join = {
        "server": str(_dialled(settings, settings.join_listen, node_link.join_port)),
        "node_server": str(_dialled(settings, settings.node_listen, node_link.node_port)),
        "token": authority.join_token(),
        "ca": authority.ca_pem.decode(),
    }
    write_private(settings.data_dir / "join.json", json.dumps(join, indent=2).encode() + b"\n")


def _background(
    settings: Settings,
    scheduler_config: scheduler.SchedulerConfig,
    authority: Authority,
    store: Store,
    cache: Cache,
    api: ApiServer,
    clock: Clock,
) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
    identity = data_dir.identity(settings.data_dir)
    scheduling = _part(api, SCHEDULER)
    controlling = _part(api, CONTROLLERS)
    controllers_config = controllers.ControllersConfig(
        node_monitor_period_seconds=settings.node_monitor_period_seconds,
        node_monitor_grace_seconds=settings.node_monitor_grace_seconds,
        root_ca_pem=authority.ca_pem.decode(),
        cluster_cidr=settings.cluster_cidr,
        node_cidr_mask=settings.node_cidr_mask_size,
    )
    metrics, answers = scheduler.SchedulerMetrics(), scheduler.Answers()
    if "scheduler" in settings.components:
        api.use_answers(answers)
    schedule = partial(scheduler.run, scheduling, clock, scheduler_config, metrics, answers)
    control = partial(controllers.run, controlling, clock, controllers_config)
    elected = {
        "scheduler": (Election(scheduling, clock, SCHEDULER, identity, settings.election), schedule),
        "controllers": (Election(controlling, clock, CONTROLLERS, identity, settings.election), control),
    }
    chosen = {name: one for name, one in elected.items() if name in settings.components}
    api.add_metrics(leadership.source([election for election, _ in chosen.values()]))
    if "scheduler" in chosen:
        api.add_metrics(metrics.lines)
    return {
        **{name: partial(election.lead, part) for name, (election, part) in chosen.items()},
        "initial objects": api.keep_initial_objects,
        "compaction": lambda: compact_periodically(store, clock),
        "audit": lambda: audit_periodically(cache, store, clock),
    }


def _part(api: ApiServer, name: str) -> Client:
    """The in-process client of one of the parts, called in managedFields as its counterpart in Kubernetes is."""
    return api.client(UserInfo(f"system:{name}", [ADMIN_GROUP, "system:authenticated"]), name)


def _api_config(settings: Settings, authority: Authority) -> ApiServerConfig:
    network = ServiceNetwork(settings.service_cidr, settings.node_ports)
    in_cluster = (*IN_CLUSTER_NAMES, network.first_address)
    pair = authority.server_pair("apiserver", _names(settings, *settings.listen, *in_cluster))
    return ApiServerConfig(
        listen=tuple((address.host, address.port) for address in settings.listen),
        certificate=pair.cert_pem,
        key=pair.key_pem,
        client_ca=authority.ca_pem,
        token_key=authority.service_account_key(),
        tokens=read_tokens(settings.token_auth_file) if settings.token_auth_file else {},
        default_toleration_seconds=settings.default_toleration_seconds,
        event_ttl_seconds=settings.event_ttl_seconds,
        network=network,
    )


def _link_settings(settings: Settings, authority: Authority) -> NodeLinkSettings:
    return NodeLinkSettings(
        node_listen=str(settings.node_listen),
        join_listen=str(settings.join_listen),
        server_names=_names(settings, settings.node_listen, settings.join_listen),
        join_token=authority.join_token(),
        cluster_cidr=settings.cluster_cidr,
        heartbeat_seconds=settings.node_heartbeat_seconds,
        session_grace_seconds=settings.node_monitor_grace_seconds,
    )


def _names(settings: Settings, *more: Address | str) -> tuple[str, ...]:
    """What a server certificate is valid for."""
    hosts = [host for entry in more for host in ([entry] if isinstance(entry, str) else _dialable(entry))]
    names = [settings.advertise.host, "127.0.0.1", "localhost", socket.gethostname(), *hosts, *settings.sans]
    return tuple(dict.fromkeys(name for name in names if name))


def _dialable(address: Address) -> list[str]:
    return [] if address.unspecified else [address.host]


def _dialled(settings: Settings, address: Address, port: int) -> Address:
    return Address(settings.advertise.host if address.unspecified else address.host, port or address.port)


def _node_of(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
