"""CertificateSigningRequests: who asked, what may be asked, who decides and who answers."""

import base64
from datetime import datetime
from typing import Any

import pytest
from api_harness import MERGE, Http
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
KEY = ec.generate_private_key(ec.SECP256R1())
APPROVED = {"type": "Approved", "status": "True", "reason": "Fine", "message": "by hand"}


def pem(cn: str = "jane", *groups: str) -> str:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, cn)]
    names += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(KEY, hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()


def certificate() -> str:
    """Any certificate will do."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    request = x509.load_pem_x509_csr(base64.b64decode(pem()))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(request.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1))
        .not_valid_after(datetime(2036, 1, 1))
        .sign(KEY, hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def request(**spec: Any) -> dict[str, Any]:
    signer = "kubernetes.io/kube-apiserver-client"
    body = {"request": pem(), "signerName": signer, "usages": ["client auth"], **spec}
    return {"metadata": {"name": "jane"}, "spec": body}


async def ask(http: Http) -> Any:
    answer = await http("POST", PATH, request(username="liar", groups=["system:masters"], uid="x"))
    assert answer.code == 201, answer.text
    return answer


async def test_the_server_writes_who_asks(http: Http) -> None:
    answer = await ask(http)
    spec = answer.json["spec"]
    assert (spec["username"], spec["groups"]) == ("admin", ["system:masters", "system:authenticated"])
    assert "uid" not in spec
    assert answer.json["status"] == {}
    assert "no part of Sampan acts on them yet" in answer.header("warning")
    headers = {"Impersonate-User": "bob", "Impersonate-Group": "system:masters", "Impersonate-Extra-Team": "a"}
    other = {**request(), "metadata": {"name": "bobs"}}
    spec = (await http("POST", PATH, other, headers)).json["spec"]
    assert (spec["username"], spec["extra"]) == ("bob", {"team": ["a"]})


async def test_nothing_of_the_question_can_be_changed(http: Http) -> None:
    await ask(http)
    changed = await http(
        "PATCH", f"{PATH}/jane", {"spec": {"username": "eve"}, "status": {"certificate": "eA=="}}, MERGE
    )
    assert changed.code == 200
    assert (changed.json["spec"]["username"], changed.json["status"]) == ("admin", {})
    labelled = await http("PATCH", f"{PATH}/jane", {"metadata": {"labels": {"a": "b"}}}, MERGE)
    assert labelled.json["metadata"]["labels"] == {"a": "b"}


async def test_approval_writes_the_decision_and_its_times_and_nothing_else(http: Http) -> None:
    obj = (await ask(http)).json
    obj["status"] = {"conditions": [APPROVED], "certificate": certificate()}
    answer = await http("PUT", f"{PATH}/jane/approval", obj)
    assert answer.code == 200, answer.text
    (condition,) = answer.json["status"]["conditions"]
    assert {field: condition[field] for field in APPROVED} == APPROVED
    assert condition["lastUpdateTime"]
    assert condition["lastTransitionTime"]
    assert "certificate" not in answer.json["status"]
    undone = await http("PATCH", f"{PATH}/jane/approval", {"status": {"conditions": None}}, MERGE)
    said = 'status.conditions: Forbidden: updates may not remove a condition of type "Approved"'
    assert said in undone.json["message"]
    both = {"status": {"conditions": [APPROVED, {**APPROVED, "type": "Denied"}]}}
    answer = await http("PATCH", f"{PATH}/jane/approval", both, MERGE)
    assert "Approved and Denied conditions are mutually exclusive" in answer.json["message"]


async def test_status_answers_but_does_not_decide(http: Http) -> None:
    await ask(http)
    status = f"{PATH}/jane/status"
    answer = await http("PATCH", status, {"status": {"conditions": [APPROVED]}}, MERGE)
    assert 'updates may not add a condition of type "Approved"' in answer.json["message"]
    answer = await http("PATCH", status, {"status": {"certificate": base64.b64encode(b"no").decode()}}, MERGE)
    assert answer.json["message"].endswith(
        'status.certificate: Invalid value: "<certificate data>": must contain one or more CERTIFICATE PEM blocks'
    )
    await http("PATCH", f"{PATH}/jane/approval", {"status": {"conditions": [APPROVED]}}, MERGE)
    answer = await http("PATCH", status, {"status": {"certificate": certificate()}}, MERGE)
    assert answer.code == 200, answer.text
    assert [c["type"] for c in answer.json["status"]["conditions"]] == ["Approved"]
    answer = await http("PATCH", status, {"status": {"certificate": None}}, MERGE)
    assert "updates may not modify existing certificate content" in answer.json["message"]
    shown = (await http("GET", PATH, headers=TABLE)).json
    name, _age, *cells = shown["rows"][0]["cells"]
    assert name == "jane"
    assert cells == [
        "kubernetes.io/kube-apiserver-client",
        "admin",
        "<none>",
        "Approved,Issued",
    ]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"usages": []}, "spec.usages: Required value"),
        ({"usages": ["client auth", "client auth"]}, 'spec.usages[1]: Duplicate value: "client auth"'),
        ({"usages": ["magic"]}, 'spec.usages[0]: Unsupported value: "magic": supported values: "any", "cert sign", "'),
        ({"signerName": ""}, "spec.signerName: Required value"),
        (
            {"signerName": "nobody"},
            'spec.signerName: Invalid value: "nobody": must be a fully qualified domain and path of the form'
            " 'example.com/signer-name'",
        ),
        (
            {"signerName": "com/x"},
            'spec.signerName: Invalid value: "com": should be a domain with at least two segments separated by dots',
        ),
        (
            {"expirationSeconds": 60},
            "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 600 seconds (10 minutes)",
        ),
        (
            {"request": base64.b64encode(b"hello").decode()},
            'spec.request: Invalid value: "aGVsbG8=": PEM block type must be CERTIFICATE REQUEST',
        ),
    ],
)
async def test_what_cannot_be_signed_is_refused(http: Http, spec: dict[str, Any], said: str) -> None:
    answer = await http("POST", PATH, request(**spec))
    assert answer.code == 422
    prefix = 'CertificateSigningRequest.certificates.k8s.io "jane" is invalid: '
    assert answer.json["message"].startswith(prefix + said)


async def test_nobody_may_ask_to_be_a_master(http: Http) -> None:
    answer = await http("POST", PATH, request(request=pem("eve", "system:masters")))
    assert (answer.code, answer.json["message"]) == (
        403,
        'certificatesigningrequests.certificates.k8s.io "jane" is forbidden: use of kubernetes.io/kube-apiserver-client'
        " signer with system:masters group is not allowed",
    )


async def test_requests_are_selected_by_signer(http: Http) -> None:
    await ask(http)
    other = {**request(signerName="example.com/x"), "metadata": {"name": "other"}}
    await http("POST", PATH, other)
    found = (await http("GET", f"{PATH}?fieldSelector=spec.signerName%3Dexample.com/x")).json["items"]
    assert [one["metadata"]["name"] for one in found] == ["other"]
