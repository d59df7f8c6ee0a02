"""The pure parts of the kubectl-style client."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sampan_api.kubeconfig import Access
from sampan_api.scheme import model_for
from sampan_api.yaml_text import dump_yaml
from sampan_cli import kubeconfig, threeway
from sampan_cli.ages import age, duration
from sampan_cli.cli import run
from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.http1 import Disconnected
from sampan_cli.rest import Api
from sampan_cli.session import seconds
from sampan_cli.table import Columns
from sampan_cli.websocket import BINARY, PING, Parser, frame


def test_columns_are_padded_but_not_the_last() -> None:
    assert Columns().text([["NAME", "AGE"], ["longer", "1s"]]) == "NAME     AGE\nlonger   1s\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (660, "11m"),
        (3 * 3600 + 60, "3h1m"),
        (86400 * 3, "3d"),
        (-5, "<invalid>"),
    ],
)
def test_ages_are_said_as_kubectl_says_them(given: int, said: str) -> None:
    assert duration(given) == said


def test_age_of_a_timestamp() -> None:
    now = datetime.datetime(2026, 1, 1, 0, 1, tzinfo=datetime.UTC)
    assert age("2026-01-01T00:00:00Z", now) == "60s"


def test_durations_are_gos() -> None:
    assert seconds("1m30s") == 90
    assert seconds("250ms") == 0.25
    with pytest.raises(UsageError):
        seconds("5x")


def test_text_of_several_lines_is_a_block_and_numbers_in_text_are_quoted() -> None:
    assert dump_yaml({"a": "x\ny\n", "b": "12", "c": "plain"}) == 'a: |\n  x\n  y\nb: "12"\nc: plain\n'


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_websocket_frames_survive_any_cutting(size: int) -> None:
    payload = bytes(i % 251 for i in range(size))
    data = frame(payload) + frame(b"?", PING)
    parser, messages = Parser(), []
    for start in range(0, len(data), 1000):
        messages += parser.feed(data[start : start + 1000])
    assert [(m.opcode, m.payload) for m in messages] == [(BINARY, payload), (PING, b"?")]


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", **container}]}}


def test_what_the_server_has_added_is_no_difference() -> None:
    live = pod(image="a", imagePullPolicy="IfNotPresent", resources={"requests": {"cpu": "500m"}})
    wanted = pod(image="a", resources={"requests": {"cpu": 0.5}})
    assert threeway.patch({}, wanted, live, model_for("v1", "Pod")) == {}


def test_a_changed_container_is_patched_by_its_name() -> None:
    change = threeway.patch(pod(image="a"), pod(image="b"), pod(image="a", stdin=True), model_for("v1", "Pod"))
    assert change["spec"]["containers"] == [{"name": "c", "image": "b"}]


def test_what_the_last_file_had_and_this_one_lacks_is_removed() -> None:
    last, live = {"data": {"a": "1", "b": "2"}}, {"data": {"a": "1", "b": "2", "other": "3"}}
    assert threeway.patch(last, {"data": {"a": "1"}}, live, model_for("v1", "ConfigMap")) == {"data": {"b": None}}


def test_a_container_that_the_file_dropped_is_deleted() -> None:
    two = {"spec": {"containers": [{"name": "c"}, {"name": "d"}]}}
    change = threeway.patch(two, pod(), two, model_for("v1", "Pod"))
    assert {"name": "d", "$patch": "delete"} in change["spec"]["containers"]


def test_kinds_without_a_schema_are_patched_by_json_merge() -> None:
    assert threeway.patch({}, {"spec": {"l": [1, 2]}}, {"spec": {"l": [1]}}, None) == {"spec": {"l": [1, 2]}}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"reason": "NotFound", "message": 'pods "x" not found'}, 'Error from server (NotFound): pods "x" not found'),
        ({"message": "boom"}, "Error from server: boom"),
        (
            {
                "reason": "Invalid",
                "message": "long",
                "details": {"kind": "Pod", "name": "p", "causes": [{"field": "spec.a", "message": "bad"}]},
            },
            'The Pod "p" is invalid: spec.a: bad',
        ),
    ],
)
def test_errors_are_worded_as_kubectl_words_them(status: dict[str, Any], said: str) -> None:
    assert ServerError(400, status).message == said


def test_an_unknown_verb_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["frobnicate"]) == 1
    assert 'unknown command "frobnicate"' in capsys.readouterr().err


def test_no_server_is_said_as_kubectl_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", "--raw", "/x", "-s", "http://127.0.0.1:1", "--kubeconfig", "/dev/null"]) == 1
    assert "The connection to the server 127.0.0.1:1 was refused - did you specify" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["get", "pods", "--frob"], "error: unknown flag: --frob\n"),
        (["get", "pods", "-z"], "error: unknown shorthand flag: 'z' in -z\n"),
        (["get", "pods", "-n"], "error: flag needs an argument: --namespace\n"),
        (["scale", "rs", "x"], 'error: required flag(s) "replicas" not set\n'),
        (
            ["scale", "rs", "x", "--replicas=y"],
            'error: invalid argument "y" for "--replicas" flag: not a whole number\n',
        ),
        (["create", "ns", "x", "--dry-run=y"], 'invalid argument "y" for "--dry-run" flag: must be one of '),
        (["up", "now"], "error: unexpected arguments: now\n"),
        (["exec", "p", "sh"], "error: exec [POD] [COMMAND] is not supported anymore. "),
        (["gte"], "Did you mean this?\n\tget\n"),
        (["--frob"], "error: unknown flag: --frob\n"),
    ],
)
def test_a_wrong_command_line_is_refused_in_kubectls_words(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 1
    assert said in capsys.readouterr().err


def test_names_may_stand_on_both_sides_of_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", "pod", "-s", "http://127.0.0.1:1", "x", "--kubeconfig", "/dev/null"]) == 1
    assert "The connection to the server 127.0.0.1:1 was refused" in capsys.readouterr().err


def test_a_kubeconfig_that_is_named_and_not_there_is_no_reason_to_take_another_cluster(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kubeconfig, "STATE_ROOT", str(tmp_path))
    for cluster in ("sampan", "other"):
        (tmp_path / cluster / "master").mkdir(parents=True)
        (tmp_path / cluster / "master" / "admin.kubeconfig").touch()
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert kubeconfig.find("", "") == kubeconfig.local("sampan")
    monkeypatch.setenv("KUBECONFIG", f"/nowhere:{tmp_path}")
    assert kubeconfig.find("", "") == str(tmp_path)
    assert kubeconfig.find("", "other") == kubeconfig.local("other")
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    assert run(["delete", "pod", "x"]) == 1
    assert "error: $KUBECONFIG: stat /nowhere: no such file" in capsys.readouterr().err
    assert run(["get", "pods", "--kubeconfig", "/dev/null", "--cluster", "other"]) == 1
    assert "give one of them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "certificate", "word"),
    [("http", b"", "is its URL https://?"), ("https", b"pem", "is the client certificate"), ("https", b"", "EOF")],
)
def test_a_server_that_hangs_up_is_said_with_what_may_be_the_reason(url: str, certificate: bytes, word: str) -> None:
    api = Api(Access(server="http://127.0.0.1:1"))
    api.scheme, api.access = url, api.access._replace(certificate_pem=certificate)
    with pytest.raises(CliError) as caught, api._reached():
        raise Disconnected("EOF")
    assert str(caught.value).startswith("Unable to connect to the server: EOF")
    assert word in str(caught.value)


def test_ctrl_c_ends_a_process_that_does_not_handle_it_yet_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import sys, time\nprint(sys.argv[1:], flush=True)\ntime.sleep(60)\n")
    begin = "from sampan_cli.processes import become; become('slow', ['--master', 'x', '-v'])"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", begin], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "['--master', 'x', '-v']\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
        assert process.stderr.read() == ""


def test_without_a_cluster_the_way_to_one_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert run(["get", "pods", "--cluster", "not-there"]) == 1
    assert 'start one with "sampan up --cluster not-there"' in capsys.readouterr().err
    assert run(["scheduler", "--cluster", "not-there"]) == 1
    assert 'no cluster "not-there" on this machine' in capsys.readouterr().err
