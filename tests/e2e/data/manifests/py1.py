"""py1.py STEP: one step of the recorded commands with the `kubernetes` package."""

import json
import sys

from kubernetes import client, config, utils, watch
from kubernetes.dynamic import DynamicClient
from kubernetes.stream import stream

NAMESPACE = "ct"
config.load_kube_config("kc.yaml")
v1 = client.CoreV1Api()
apps = client.AppsV1Api()


def create():
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="pycm"), data={"a": "b"})
    return v1.create_namespaced_config_map(NAMESPACE, body).metadata.name


def patch(body, **options):
    return v1.patch_namespaced_config_map("pycm", NAMESPACE, body, **options).data


def apply():
    body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"s": "t"}}
    return patch(body, field_manager="py", force=True, _content_type="application/apply-patch+yaml")


def put():
    found = v1.read_namespaced_config_map("pycm", NAMESPACE)
    found.data = {"q": "r"}
    return v1.replace_namespaced_config_map("pycm", NAMESPACE, found).data


def delete():
    gone = v1.delete_namespaced_config_map("pycm", NAMESPACE)
    return f"{type(gone).__name__} {gone.get('status') if isinstance(gone, dict) else gone.status}"


def not_found():
    try:
        v1.read_namespaced_pod("nope", NAMESPACE)
    except client.ApiException as error:
        return f"{error.status} {error.reason} {json.loads(error.body)['message']}"


def watched():
    events = watch.Watch().stream(v1.list_namespaced_pod, NAMESPACE, timeout_seconds=2)
    return "\n".join(f"{event['type']} {event['object'].metadata.name}" for event in events)


def execute(*command, **options):
    return stream(
        v1.connect_get_namespaced_pod_exec, "web", NAMESPACE, command=list(command),
        stderr=True, stdin=False, stdout=True, tty=False, **options,
    )  # fmt: skip


def exit_code():
    running = execute("sh", "-c", "echo o; echo e >&2; exit 5", _preload_content=False)
    running.run_forever(timeout=60)
    return f"{running.read_stdout()} {running.read_stderr()} {running.returncode}"


def dynamic():
    maps = DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")
    return [item.metadata.name for item in maps.get(namespace=NAMESPACE).items][:3]


STEPS = {
    "version": lambda: client.VersionApi().get_code().git_version,
    "apis": lambda: len(client.ApisApi().get_api_versions().groups),
    "list": lambda: [pod.metadata.name for pod in v1.list_namespaced_pod(NAMESPACE, limit=2).items],
    "create": create,
    "read": lambda: v1.read_namespaced_config_map("pycm", NAMESPACE).data,
    "patch": lambda: patch({"data": {"c": "d"}}),
    "patchlist": lambda: patch([{"op": "add", "path": "/data/z", "value": "y"}]),
    "ssa": apply,
    "replace": put,
    "delete2": delete,
    "deletecol": lambda: v1.delete_collection_namespaced_config_map(NAMESPACE, label_selector="zz=1").kind,
    "nf": not_found,
    "watch": watched,
    "exec": lambda: execute("echo", "py"),
    "execrc": exit_code,
    "log": lambda: v1.read_namespaced_pod_log("web", NAMESPACE, tail_lines=1),
    "scale": lambda: apps.patch_namespaced_replica_set_scale("rs1", NAMESPACE, {"spec": {"replicas": 1}}).spec.replicas,
    "dyn": dynamic,
    "yaml": lambda: utils.create_from_yaml(client.ApiClient(), "cm.yaml", namespace="ct2")[0],
}

try:
    print(STEPS[sys.argv[1]]())
except client.ApiException as error:
    print("ApiException", error.status, error.reason, error.body)
