import base64
import json

import pytest
from sampan_api import kubeconfig
from sampan_api.clock import parse_time
from sampan_api.documents import decode_yaml
from sampan_api.kubeconfig import Access, KubeconfigError, in_cluster, load

PLAIN = """\
apiVersion: v1
kind: Config
clusters:
- name: "demo"
  cluster:
    server: "https://127.0.0.1:6443"
    certificate-authority-data: YWJj
users:
- name: "demo-admin"
  user:
    client-certificate-data: YWJj
    client-key-data: YWJj
contexts:
- name: "demo"
  context:
    cluster: "demo"
    user: "demo-admin"
current-context: "demo"
"""


@pytest.fixture
def file(tmp_path):
    """Writes a kubeconfig of two contexts: `one` (the current one) as asked, `two` with a namespace and a token."""

    def write(cluster="", user="", current="one"):
        path = tmp_path / "config"
        path.write_text(f"""\
clusters:
- {{name: c1, cluster: {{server: "https://one:6443/", {cluster}}}}}
- {{name: c2, cluster: {{server: "https://two:6443"}}}}
users:
- {{name: u1, user: {{{user}}}}}
- {{name: u2, user: {{token: second}}}}
contexts:
- {{name: one, context: {{cluster: c1, user: u1}}}}
- {{name: two, context: {{cluster: c2, user: u2, namespace: apart}}}}
- {{name: lost, context: {{cluster: gone, user: u1}}}}
current-context: {current}
""")
        return str(path)

    return write


def test_a_plain_one_is_read_as_yaml_reads_it():
    assert kubeconfig._parse_plain(PLAIN) == decode_yaml(PLAIN)


@pytest.mark.parametrize("odd", ["a: {b: c}", "a: |\n  x", "a: 'x'", "a: x # y", "- a", "a: &x y"])
def test_one_that_is_not_plain_goes_to_the_real_parser(odd):
    with pytest.raises(kubeconfig._NotPlain):
        kubeconfig._parse_plain(odd)


def test_the_current_context_is_taken_unless_another_is_asked_for(file):
    path = file(user="token: first")
    assert (load(path).server, load(path).token, load(path).namespace) == ("https://one:6443", "first", "default")
    two = load(path, "two")
    assert (two.server, two.token, two.namespace) == ("https://two:6443", "second", "apart")


def test_files_are_relative_to_the_kubeconfig(file, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    for name in ("ca.pem", "cert.pem", "key.pem", "token"):
        (tmp_path / name).write_text(f"the {name}\n")
    user = "client-certificate: cert.pem, client-key: key.pem, tokenFile: token, token: old"
    access = load(file("certificate-authority: ca.pem, tls-server-name: other, disable-compression: true", user))
    assert access == Access(
        server="https://one:6443",
        ca_pem="the ca.pem\n",
        certificate_pem=b"the cert.pem\n",
        key_pem=b"the key.pem\n",
        token="the token",
        token_file=str(tmp_path / "token"),
        certificate_file=str(tmp_path / "cert.pem"),
        key_file=str(tmp_path / "key.pem"),
        server_name="other",
        compress=False,
    )


def test_inline_data_wins_over_files(file):
    inline = base64.b64encode(b"inline").decode()
    assert load(file(f"certificate-authority: nowhere, certificate-authority-data: {inline}")).ca_pem == "inline"


@pytest.mark.parametrize(
    ("cluster", "user", "context", "said"),
    [
        ("", "", "none", "context was not found for specified context: none"),
        ("", "", "lost", 'cluster "gone" was not found for context "lost"'),
        ("certificate-authority: nowhere.pem", "", "", "nowhere.pem: no such file or directory"),
        ("certificate-authority-data: '*'", "", "", "certificate-authority-data: illegal base64 data"),
        ("insecure-skip-tls-verify: true, certificate-authority-data: YWJj", "", "", "exclude each other"),
        ("proxy-url: http://proxy", "", "", '"proxy-url" is not supported'),
        ("", "auth-provider: {name: gcp}", "", 'user "u1": "auth-provider" is not supported; client certificates, tok'),
        ("", "exec: {command: aws}", "", 'exec.apiVersion: "" is none of client.authentication.k8s.io/v1'),
        ("", "username: ann, password: x", "", '"username" is not supported'),
        ("", "client-certificate-data: YWJj", "", "client-certificate has no client-key"),
        ("", "client-key-data: YWJj", "", "client-key has no client-certificate"),
        ("", "tokenFile: nowhere", "", "nowhere: no such file or directory"),
        ("", "bad: [", "", "error loading config file"),
    ],
)
def test_what_cannot_be_used_is_named(file, cluster, user, context, said):
    with pytest.raises(KubeconfigError, match=said.replace("*", r"\*")):
        load(file(cluster, user), context)


def test_a_current_context_that_is_not_there_is_an_error(file):
    with pytest.raises(KubeconfigError, match="specified context: three"):
        load(file(current="three"))


def test_an_empty_file_means_the_local_port(tmp_path):
    (tmp_path / "empty").write_text("")
    assert load(str(tmp_path / "empty")) == Access()


def test_a_pod_is_told_by_its_service_account(tmp_path):
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    assert in_cluster(environment, str(tmp_path)) is None
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("ca")
    expected = Access("https://[fd00::1]:443", ca_pem="ca", token="t", token_file=str(tmp_path / "token"))
    assert in_cluster(environment, str(tmp_path)) == expected
    assert in_cluster({}, str(tmp_path)) is None


PLUGIN = """\
#!/bin/sh
cd "$(dirname "$0")"
echo "$KUBERNETES_EXEC_INFO" > asked.json
echo "$1 $EXTRA" > told
cat answer.json
"""
V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def plugin(tmp_path, file):
    """Writes a plug-in that answers with `answer`, and a kubeconfig that names it; says its path."""

    def write(answer, **config):
        (tmp_path / "get-token").write_text(PLUGIN)
        (tmp_path / "get-token").chmod(0o755)
        (tmp_path / "answer.json").write_text(answer if isinstance(answer, str) else json.dumps(answer))
        asked = {"apiVersion": V1, "command": "./get-token", "interactiveMode": "IfAvailable", **config}
        return file(user=f"exec: {json.dumps(asked)}")

    return write


def answer(**status):
    return {"apiVersion": V1, "kind": "ExecCredential", "status": status}


def test_a_program_says_who_one_is(plugin, tmp_path):
    expires = "2026-01-01T00:00:00Z"
    more = {"args": ["--cluster=c"], "env": [{"name": "EXTRA", "value": "more"}], "provideClusterInfo": True}
    access = load(plugin(answer(token="fresh", expirationTimestamp=expires), **more))
    assert (access.token, access.expires) == ("fresh", parse_time(expires))
    assert (tmp_path / "told").read_text() == "--cluster=c more\n"
    asked = json.loads((tmp_path / "asked.json").read_text())
    told = {"interactive": False, "cluster": {"server": "https://one:6443/"}}
    assert asked == {"kind": "ExecCredential", "apiVersion": V1, "spec": told}


def test_a_program_may_give_a_certificate(plugin):
    access = load(plugin(answer(clientCertificateData="cert", clientKeyData="key")))
    assert (access.certificate_pem, access.key_pem, access.token, access.expires) == (b"cert", b"key", "", None)


@pytest.mark.parametrize(
    ("answered", "config", "said"),
    [
        ("nonsense", {}, "answered with what is no ExecCredential"),
        ({"apiVersion": V1 + "beta1", "kind": "ExecCredential"}, {}, f"plugin returned version {V1}beta1"),
        (answer(), {}, "didn't return a token or cert/key pair"),
        (answer(clientCertificateData="c"), {}, "returned only certificate or key, not both"),
        (answer(token="t", expirationTimestamp="soon"), {}, "expirationTimestamp: "),
        (
            answer(token="t"),
            {"command": "no-such-program", "installHint": "get it"},
            "no-such-program not found\nget it",
        ),
        (answer(token="t"), {"command": "false"}, "executable false failed with exit code 1"),
        (answer(token="t"), {"interactiveMode": "Always"}, "Always is not supported: nobody can be asked"),
        (answer(token="t"), {"interactiveMode": None}, "must be Never or IfAvailable"),
        (answer(token="t"), {"command": ""}, "exec.command: it must be specified"),
    ],
)
def test_a_program_that_is_no_help_is_named(plugin, answered, config, said):
    with pytest.raises(KubeconfigError, match=said):
        load(plugin(answered, **config))


def test_who_has_a_token_runs_no_program(file):
    assert load(file(user="token: t, exec: {command: nothing}")).plugin is None
