"""Exec, attach and port-forward into real containers. The streaming server listens in the node's network namespace,
so the connection is made there."""

import json
import os
import socket
import threading

import pytest
from cri_api.v1 import api_pb2 as cri
from sampan_runtime import syscalls
from websockets.sync.client import connect

pytestmark = pytest.mark.root


def socket_at(node, url):
    """A connected socket, made by a thread that goes to the node's namespace and ends there."""
    host, port = url.removeprefix("http://").partition("/")[0].split(":")
    made = []

    def make():
        descriptor = os.open(f"/run/netns/{node.name}", os.O_RDONLY)
        syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
        os.close(descriptor)
        made.append(socket.create_connection((host, int(port)), 60))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def stream(node, url, protocol="v5.channel.k8s.io"):
    sock = socket_at(node, url)
    return connect(url.replace("http:", "ws:"), sock=sock, subprotocols=[protocol], open_timeout=60)


def until_closed(connection):
    output = {1: b"", 2: b"", 3: b""}
    for message in connection:
        output[message[0]] += message[1:]
    return output


def exec_url(node, id, *command, **fields):
    return node.runtime.Exec(cri.ExecRequest(container_id=id, cmd=command, stdout=True, **fields)).url


@pytest.fixture(scope="module")
def sleeper(node):
    return node.container(node.sandbox("streams"), "sleep", "1000", name="sleeper")


def test_exec_separates_the_streams_and_tells_the_code(node, sleeper):
    url = exec_url(node, sleeper, "sh", "-c", "cat; echo err >&2; exit 6", stdin=True, stderr=True)
    with stream(node, url) as connection:
        connection.send(b"\x00typed")
        connection.send(b"\xff\x00")
        output = until_closed(connection)
    assert (output[1], output[2]) == (b"typed", b"err\n")
    assert json.loads(output[3])["details"]["causes"][0]["message"] == "6"


def test_exec_with_a_terminal_has_one_and_its_size(node, sleeper):
    url = exec_url(node, sleeper, "sh", "-c", "test -t 0 && read x; stty size", stdin=True, tty=True)
    with stream(node, url) as connection:
        connection.send(b'\x04{"Width":99,"Height":33}')
        connection.send(b"\x00go\n")
        output = until_closed(connection)
    assert b"33 99" in output[1]
    assert json.loads(output[3])["status"] == "Success"


def test_exec_of_a_missing_program_is_an_error_of_the_stream(node, sleeper):
    with stream(node, exec_url(node, sleeper, "/no/such")) as connection:
        status = json.loads(until_closed(connection)[3])
    assert (status["status"], status["reason"]) == ("Failure", "InternalError")
    assert "/no/such" in status["message"]


def test_attach_sees_output_and_gives_input(node):
    pod = node.sandbox("attached")
    id = node.container(pod, "sh", "-c", "read line; echo got $line", name="attached", stdin=True, stdin_once=True)
    url = node.runtime.Attach(cri.AttachRequest(container_id=id, stdin=True, stdout=True, stderr=True)).url
    with stream(node, url) as connection:
        connection.send(b"\x00hello\n")
        output = until_closed(connection)
    assert output[1] == b"got hello\n", (output, node.log("attached"), node.status(id))
    assert "got hello" in node.log("attached")


def test_a_port_of_the_pods_loopback_is_forwarded(node):
    pod = node.sandbox("forwarded")
    id = node.container(pod, "nc", "-l", "-p", "7000", "-e", "cat", name="listener")
    node.eventually(lambda: b":7000" in node.exec(id, "netstat", "-ltn").stdout)
    url = node.runtime.PortForward(cri.PortForwardRequest(pod_sandbox_id=pod, port=[7000])).url
    with stream(node, url, "v4.channel.k8s.io") as connection:
        assert connection.recv(60) == b"\x00\x58\x1b"
        assert connection.recv(60) == b"\x01\x58\x1b"
        connection.send(b"\x00question\n")
        assert connection.recv(60) == b"\x00question\n"
