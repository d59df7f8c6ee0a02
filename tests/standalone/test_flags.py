"""What the processes say when they are told nonsense."""

import asyncio
import json
import socket
from dataclasses import replace

import pytest
from aiohttp import ClientError, ClientSession, TCPConnector
from sampan_api.clock import VirtualClock
from sampan_api.kubeconfig import Access
from sampan_api.tls import client_context
from sampan_master.pki import Authority
from sampan_master.prometheus import process
from sampan_master.standalone import controllers, scheduler, settings
from sampan_master.standalone.process import Standalone, _access
from sampan_master.standalone.serving import serving


def parsed(*argv):
    parser = settings.parser("sampan scheduler", "", lease="kube-scheduler", port=10259)
    return settings.common("sampan-scheduler", parser, parser.parse_args(argv))


def refused(capsys, *argv):
    with pytest.raises(SystemExit) as ended:
        scheduler.main(list(argv))
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_the_defaults_are_those_of_kube_scheduler():
    found = parsed()
    assert (found.bind_address, found.port, found.leader_elect, found.lease) == (
        "127.0.0.1",
        10259,
        True,
        "kube-scheduler",
    )
    assert not parsed("--leader-elect=false").leader_elect
    assert parsed("--leader-elect", "--secure-port", "1").port == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--bind-address", "0.0.0.0"], "give --client-ca-file"),
        (["--bind-address", "here"], "'here' is not an IP address"),
        (["--port", "70000"], "'70000' is not a port"),
        (["--leader-elect=perhaps"], "'perhaps' is neither true nor false"),
        (["--leader-elect-lease-duration", "5s"], "must be longer than the renew deadline"),
        (["--tls-cert-file", "x"], "go together"),
        (["--client-ca-file", "x"], "--client-ca-file needs --tls-cert-file"),
        (["--config", "/nowhere.yaml"], "--config: [Errno 2] No such file or directory: '/nowhere.yaml'"),
        (["--kube"], "unrecognized arguments: --kube"),
    ],
)
def test_wrong_flags_are_refused_with_a_reason(capsys, argv, said):
    assert said in refused(capsys, *argv)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--node-monitor-period", "0s"], "the node monitor period must be more than 0"),
        (["--node-eviction-rate", "nan"], "the node eviction rate must not be less than 0"),
        (["--secondary-node-eviction-rate=-1"], "the secondary node eviction rate must not be less than 0"),
        (["--unhealthy-zone-threshold", "55"], "the unhealthy zone threshold must lie between 0 and 1"),
    ],
)
def test_what_no_controller_can_work_with_is_refused(capsys, argv, said):
    with pytest.raises(SystemExit) as ended:
        controllers.main(argv)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def written(tmp_path, server, **user):
    path = tmp_path / "kubeconfig"
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    cluster = {"name": "c", "cluster": {"server": server}}
    document = {"clusters": [cluster], "users": [{"name": "u", "user": user}], "contexts": [context]}
    path.write_text(json.dumps({**document, "current-context": "c"}))
    return path


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"username": "ann", "password": "x"}, '"username" is not supported'),
        ({"exec": {"apiVersion": "x", "command": "x"}}, 'exec.apiVersion: "x" is none of'),
        ({"client-certificate": "nowhere.pem", "client-key": "k"}, "nowhere.pem: no such file or directory"),
        ({"client-certificate-data": "YQ==", "client-key-data": "YQ=="}, "client certificate and key cannot be used"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_ends_the_process(tmp_path, capsys, user, said):
    path = written(tmp_path, "https://127.0.0.1:1", **user)
    assert scheduler.main(["--kubeconfig", str(path), "--port", "0"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: sampan-scheduler cannot start: ")
    assert said in error


def test_without_a_kubeconfig_it_must_be_in_a_pod(capsys):
    assert scheduler.main(["--port", "0"]) == 1
    assert "give --kubeconfig FILE" in capsys.readouterr().err


def test_a_taken_port_ends_the_process(tmp_path, capsys):
    path = written(tmp_path, "https://127.0.0.1:1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert scheduler.main(["--kubeconfig", str(path), "--port", port]) == 1
    assert "address already in use" in capsys.readouterr().err


async def test_a_server_that_is_not_there_is_named_and_asked_again(tmp_path, caplog):
    path = written(tmp_path, "https://127.0.0.1:1")
    asked = parsed("--kubeconfig", str(path), "--port", "0")

    async def never(*_):
        raise AssertionError("it does not lead")

    running = asyncio.create_task(Standalone(asked, never, {}, [])._run(VirtualClock()))
    try:
        async with asyncio.timeout(60):
            while "the lease cannot be had: https://127.0.0.1:1: connection refused" not in caplog.text:
                await asyncio.sleep(0.01)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_health_and_metrics_are_served():
    state = {"ready": "not yet"}
    checks = {"informer-sync": lambda: state["ready"]}
    asked = replace(parsed(), port=0)
    async with serving(asked, {"ping": lambda: ""}, checks, [process], {}) as url, ClientSession() as session:

        async def get(path):
            async with session.get(url + path) as answer:
                return answer.status, await answer.text()

        assert await get("/livez") == (200, "ok")
        assert await get("/readyz") == (500, "[+]ping ok\n[-]informer-sync failed: not yet\nreadyz check failed\n")
        assert await get("/readyz/ping") == (200, "ok")
        assert (await get("/readyz/other"))[0] == 404
        state["ready"] = ""
        assert await get("/readyz?verbose") == (200, "[+]ping ok\n[+]informer-sync ok\nreadyz check passed\n")
        status, told = await get("/metrics")
        assert status == 200
        assert "# TYPE process_resident_memory_bytes gauge" in told


async def test_over_tls_who_asks_must_show_a_certificate(tmp_path):
    authority = Authority.load_or_create(tmp_path / "pki")
    server = authority.issue_server(["127.0.0.1"])
    for name, content in (("crt", server.cert_pem), ("key", server.key_pem), ("ca", authority.ca_pem)):
        (tmp_path / name).write_bytes(content)
    files = ("--tls-cert-file", str(tmp_path / "crt"), "--tls-private-key-file", str(tmp_path / "key"))
    asked = replace(parsed(*files, "--client-ca-file", str(tmp_path / "ca"), "--bind-address", "0.0.0.0"), port=0)
    pair = authority.issue_client("prometheus")
    shown = Access(ca_pem=authority.ca_pem.decode(), certificate_pem=pair.cert_pem, key_pem=pair.key_pem)
    async with serving(asked, {"ping": lambda: ""}, {}, [process], {}) as url:
        url = url.replace("0.0.0.0", "127.0.0.1")
        assert url.startswith("https://")
        async with ClientSession(connector=TCPConnector(ssl=client_context(shown))) as session:
            assert (await session.get(f"{url}/metrics")).status == 200
        nobody = client_context(shown._replace(certificate_pem=b"", key_pem=b""))
        async with ClientSession(connector=TCPConnector(ssl=nobody)) as session:
            with pytest.raises(ClientError):
                await session.get(f"{url}/livez")


def test_a_server_may_be_named_instead_of_the_kubeconfig_s(tmp_path):
    assert _access(parsed("--master", "https://elsewhere:6443/")).server == "https://elsewhere:6443"
    path = written(tmp_path, "https://127.0.0.1:1", token="t")
    found = _access(parsed("--kubeconfig", str(path), "--master", "https://elsewhere:6443"))
    assert (found.server, found.token) == ("https://elsewhere:6443", "t")
