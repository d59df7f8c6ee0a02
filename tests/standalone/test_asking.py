"""A scheduler apart is asked at its own port: by the `sampan` command, beside an API server that has no answers."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest_asyncio
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "apiserver"))

from api_harness import TOKEN, running
from sampan_api.clock import RealClock
from sampan_api.https import HttpsClient
from sampan_api.kubeconfig import Access
from sampan_master import scheduler
from sampan_master.standalone import settings
from sampan_master.standalone.asking import Asking
from sampan_master.standalone.serving import serving

SAMPAN = Path(sys.prefix) / "bin" / "sampan"
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "%s"}}]
users: [{name: u, user: {token: %s}}]
"""
BIG = """
apiVersion: v1
kind: Pod
metadata: {name: big}
spec:
  automountServiceAccountToken: false
  containers: [{name: c, image: i, resources: {requests: {cpu: "9"}}}]
"""
WEB = """
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      automountServiceAccountToken: false
      containers: [{name: c, image: i, resources: {requests: {cpu: "2"}}}]
"""


class Lab:
    def __init__(self, api, url, directory):
        self.api, self.url, self.directory = api, url, directory
        self.kubeconfig = directory / "kubeconfig"
        host, port = api.http.address
        self.kubeconfig.write_text(KUBECONFIG % (f"http://{host}:{port}", TOKEN))

    async def sampan(self, *words, stdin="", apart=True):
        """(exit code, standard output, standard error)"""
        words = [*words, "--kubeconfig", self.kubeconfig, *(["--scheduler", self.url] if apart else [])]
        process = await asyncio.create_subprocess_exec(
            SAMPAN,
            *map(str, words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(self.directory), "PATH": "/usr/bin:/bin"},
        )
        out, err = await process.communicate(stdin.encode())
        return process.returncode, out.decode(), err.decode()

    async def until(self, word, *words):
        """What is printed once it has this word in it."""
        async with asyncio.timeout(60):
            while True:
                _, out, _ = await self.sampan(*words)
                if word in out:
                    return out
                await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def lab(tmp_path):
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(running())
        access = Access(server="http://{}:{}".format(*api.http.address), token=TOKEN)
        client = await stack.enter_async_context(HttpsClient(access, RealClock(), "kube-scheduler"))
        asking = Asking()
        stack.enter_context(asking.through(client))
        work = scheduler.run(client, RealClock(), scheduler.SchedulerConfig(), answers=asking.answers)
        task = asyncio.create_task(work)
        parser = settings.parser("test", "", lease="kube-scheduler", port=0)
        common = settings.common("test", parser, parser.parse_args(["--port", "0"]))
        url = await stack.enter_async_context(serving(common, {}, {}, [], asking.posts))
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        await api.http("POST", "/api/v1/namespaces/default/serviceaccounts", account)
        room = {"cpu": "4", "memory": "8Gi", "pods": "10"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"allocatable": room}}
        await api.http("POST", "/api/v1/nodes", node)
        merge = {"Content-Type": "application/merge-patch+json"}
        await api.http("PATCH", "/api/v1/nodes/n1", {"spec": {"taints": None}}, merge)
        yield Lab(api, url, tmp_path)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_why_is_answered_by_the_scheduler_and_without_it_by_the_condition(lab):
    code, out, err = await lab.sampan("create", "-f", "-", stdin=BIG, apart=False)
    assert (code, out) == (0, "pod/big created\n"), err
    out = await lab.until("Verdict of", "why", "pod/big")
    assert out.startswith("InsufficientResources: pod/big does not fit on the only node, n1: Insufficient cpu:")
    assert "    seen: 0/1 nodes are available: 1 Insufficient cpu." in out
    assert "    fix:  lower the cpu request from 9 to 4" in out
    assert "Verdict of default-scheduler, 1 attempt:\n  n1   NodeResourcesFit\n      need: cpu: 9\n" in out
    assert "\n  0/1 nodes are available" not in out
    _, out, _ = await lab.sampan("why", "pod", "big", apart=False)
    assert out.endswith("and the events say. A Sampan scheduler that runs apart is asked with --scheduler URL)\n")
    code, out, _ = await lab.sampan("why", "pod", "big", "-o", "json", apart=False)
    answer = json.loads(out)
    assert [f["cause"] for f in answer["findings"]] == ["InsufficientResources"]
    assert (code, answer["verdict"]) == (0, None)
    assert answer["note"] == "the scheduler did not answer: this API server has no scheduler beside it"


async def test_whatif_draws_no_line_in_the_store(lab):
    before = await lab.api.store.revision()
    out = await lab.until("ReplicaSet/web", "whatif", "-f", _written(lab, WEB))
    assert [line.split()[:3] for line in out.splitlines()[1:4]] == [
        ["default/web-0", "ReplicaSet/web", "n1"],
        ["default/web-1", "ReplicaSet/web", "n1"],
        ["default/web-2", "ReplicaSet/web", "<pending>"],
    ]
    assert "default/web-2 would stay pending: 0/1 nodes are available: 1 Insufficient cpu." in out
    assert await lab.api.store.revision() == before
    code, out, _ = await lab.sampan("whatif", "-f", _written(lab, WEB), "-o", "json")
    assert (code, [p["node"] for p in json.loads(out)["pods"]]) == (0, ["n1", "n1", ""])
    code, _, err = await lab.sampan("whatif", "-f", _written(lab, WEB), apart=False)
    assert (code, err.endswith("no scheduler beside it (one that runs apart is asked with --scheduler URL)\n")) == (
        1,
        True,
    )


async def test_a_type_without_a_name_stands_for_all_that_something_is_wrong_with(lab):
    assert await lab.sampan("why", "pods") == (0, "", "No resources found in default namespace.\n")
    assert await lab.sampan("why", "priorityclasses.x") == (
        1, "", 'error: the server doesn\'t have a resource type "priorityclasses.x"; did you mean "priorityclasses"?\n'
        "For an object say TYPE/NAME, such as pod/priorityclasses.x\n",
    )  # fmt: skip
    assert await lab.sampan("why", "ns") == (0, "Nothing is wrong with the 4 that are there.\n", "")
    await lab.sampan("create", "-f", "-", stdin=BIG, apart=False)
    await lab.until("InsufficientResources", "why", "pods")
    code, out, _ = await lab.sampan("why", "pods,ns", "-o", "yaml")
    assert (code, [each["subject"]["name"] for each in yaml.safe_load(out)]) == (0, ["big"])


async def test_what_does_not_exist_is_said_in_kubectls_words_and_what_may_be_meant(lab):
    await lab.sampan("create", "-f", "-", stdin=BIG, apart=False)
    code, out, err = await lab.sampan("why", "pod/none")
    assert (code, out, err) == (1, "", 'Error from server (NotFound): pods "none" not found\n')
    code, _, err = await lab.sampan("why", "pod/bigg")
    assert (code, err.splitlines()[1]) == (1, "Did you mean pod/big?")
    code, _, err = await lab.sampan("why", "-n", "kube-system", "pod/big")
    assert (code, err.splitlines()[1]) == (1, "There is one in namespace default: sampan why -n default pod/big")
    code, _, err = await lab.sampan("why", "cat/none")
    assert (code, err) == (1, 'error: the server doesn\'t have a resource type "cat"\n')
    code, _, err = await lab.sampan("why", "podds/big")
    assert (code, err) == (1, 'error: the server doesn\'t have a resource type "podds"; did you mean "pods"?\n')
    code, _, err = await lab.sampan("why", "big")
    assert (code, err.splitlines()[1]) == (1, "For an object say TYPE/NAME, such as pod/big")


async def test_what_a_namespace_that_terminates_has_in_it_is_read_without_the_warnings_of_all_kinds(lab):
    kept = {"metadata": {"name": "kept", "namespace": "old", "finalizers": ["example.com/k"]}}
    await lab.api.http("POST", "/api/v1/namespaces", {"metadata": {"name": "old"}})
    await lab.api.http("POST", "/api/v1/namespaces/old/configmaps", kept)
    await lab.api.http("DELETE", "/api/v1/namespaces/old")
    code, out, err = await lab.sampan("why", "ns/old")
    assert (code, err) == (0, "")
    assert out.startswith("NamespaceContentRemains: ")
    assert "Warning: v1 Endpoints is deprecated" in (await lab.sampan("get", "endpoints", "-n", "old", apart=False))[2]


async def test_whatif_says_which_of_several_objects_is_wrong(lab):
    several = f"{WEB}---\n{BIG.replace('image: i', 'colour: red')}"
    code, _, err = await lab.sampan("whatif", "-f", _written(lab, several))
    assert (code, err.startswith('Error from server (BadRequest): Pod "big": ')) == (1, True), err
    assert "colour" in err


def _written(lab, text):
    path = lab.directory / "given.yaml"
    path.write_text(text)
    return path
