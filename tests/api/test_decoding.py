import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampan_api.schema import DecodeError, decode_json, fields, model_for

KINDS = {
    "configmap": ("v1", "ConfigMap"),
    "cronjob": ("batch/v1", "CronJob"),
    "daemonset": ("apps/v1", "DaemonSet"),
    "deployment": ("apps/v1", "Deployment"),
    "event": ("v1", "Event"),
    "job": ("batch/v1", "Job"),
    "lease": ("coordination.k8s.io/v1", "Lease"),
    "namespace": ("v1", "Namespace"),
    "node": ("v1", "Node"),
    "node-status": ("v1", "Node"),
    "pod-full": ("v1", "Pod"),
    "pod-minimal": ("v1", "Pod"),
    "priorityclass": ("scheduling.k8s.io/v1", "PriorityClass"),
    "replicaset": ("apps/v1", "ReplicaSet"),
    "secret": ("v1", "Secret"),
    "serviceaccount": ("v1", "ServiceAccount"),
    "statefulset": ("apps/v1", "StatefulSet"),
}


def ordered(value):
    """The value with its key order made comparable."""
    if isinstance(value, dict):
        return [(key, ordered(item)) for key, item in value.items()]
    return [ordered(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", KINDS)
def test_what_the_real_server_printed_is_what_we_print(name, recorded_object):
    obj = recorded_object(name)
    decoded = decode_json(model_for(*KINDS[name]), obj)
    assert ordered(decoded.obj) == ordered(obj)
    assert decoded.unknown == []


def pod(**container):
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i", **container}]}}


def decode(kind, data, api_version="v1"):
    return decode_json(model_for(api_version, kind), data)


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (
            "Pod",
            pod(ports=[{"containerPort": "x"}]),
            "json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort "
            "of type int32",
        ),
        (
            "Pod",
            pod(name=5),
            "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string",
        ),
        (
            "Pod",
            {"spec": {"containers": "x"}},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            "Pod",
            {"spec": {"containers": ["x"]}},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container",
        ),
        ("Pod", {"spec": 5}, "json: cannot unmarshal number into Go struct field Pod.spec of type v1.PodSpec"),
        (
            "Pod",
            pod(image={}),
            "json: cannot unmarshal object into Go struct field Container.spec.containers.image of type string",
        ),
        (
            "Pod",
            pod(imagePullPolicy=True),
            "json: cannot unmarshal bool into Go struct field Container.spec.containers.imagePullPolicy "
            "of type v1.PullPolicy",
        ),
        (
            "Pod",
            pod(securityContext={"capabilities": {"add": [1]}}),
            "json: cannot unmarshal number into Go struct field Capabilities.spec.containers.securityContext."
            "capabilities.add of type v1.Capability",
        ),
        (
            "Pod",
            pod(resources={"limits": []}),
            "json: cannot unmarshal array into Go struct field ResourceRequirements.spec.containers.resources.limits "
            "of type v1.ResourceList",
        ),
        (
            "Pod",
            pod(resources={"limits": {"cpu": "abc"}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            "ConfigMap",
            {"metadata": {"labels": {"a": True}}},
            "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            "ConfigMap",
            {"metadata": {"labels": "x"}},
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            "ConfigMap",
            {"metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
        (
            "ConfigMap",
            {"metadata": {"creationTimestamp": 1}},
            "json: cannot unmarshal number into Go value of type string",
        ),
        ("Secret", {"data": {"a": "%%"}}, "illegal base64 data at input byte 0"),
        ("Secret", {"data": {"a": "YQ"}}, "illegal base64 data at input byte 2"),
        (
            "Secret",
            {"data": {"a": 1}},
            "json: cannot unmarshal number into Go struct field Secret.data of type []uint8",
        ),
        ("Secret", [], "json: cannot unmarshal array into Go value of type v1.Secret"),
        (
            "Pod",
            pod(livenessProbe={"httpGet": {"port": {}}}),
            "json: cannot unmarshal object into Go value of type int32",
        ),
    ],
)
def test_wrong_types_are_told_as_go_tells_them(kind, data, message):
    with pytest.raises(DecodeError) as raised:
        decode(kind, data)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("number", "shown"), [(1.5, "1.5"), (99999999999, "99999999999"), (-(2**31) - 1, "-2147483649")]
)
def test_numbers_that_do_not_fit_are_named(number, shown):
    with pytest.raises(DecodeError) as raised:
        decode("ReplicaSet", {"spec": {"replicas": number}}, "apps/v1")
    assert str(raised.value) == (
        f"json: cannot unmarshal number {shown} into Go struct field ReplicaSetSpec.spec.replicas of type int32"
    )


def test_unknown_fields_are_dropped_and_named_in_their_order():
    data = pod(imagePulPolicy="Always", foo=1)
    data["spec"]["zoo"] = {"deep": 1}
    data["spec"]["volumes"] = [{"name": "a"}, {"name": "b", "configMap": {"nam": "x"}}]
    decoded = decode("Pod", data)
    assert decoded.unknown == [
        "spec.containers[0].imagePulPolicy",
        "spec.containers[0].foo",
        "spec.zoo",
        "spec.volumes[1].configMap.nam",
    ]
    assert "zoo" not in decoded.obj["spec"]


def test_field_names_are_case_sensitive():
    assert decode("Pod", pod(ImagePullPolicy="Always")).unknown == ["spec.containers[0].ImagePullPolicy"]


def test_null_counts_as_absent():
    decoded = decode("Pod", {"metadata": None, "spec": {"containers": None, "nodeName": None, "affinity": None}})
    assert decoded.obj == {"metadata": {}, "spec": {}, "status": {}}


def test_null_in_a_map_is_its_zero():
    assert decode("ConfigMap", {"data": {"a": None}}).obj["data"] == {"a": ""}


def test_zeros_are_left_out_unless_go_prints_them():
    spec = decode("Pod", {"spec": {"hostNetwork": False, "nodeName": "", "containers": [], "volumes": []}}).obj["spec"]
    assert spec == {"containers": []}
    spec = decode("ReplicaSet", {"spec": {"replicas": 0, "minReadySeconds": 0}}, "apps/v1").obj["spec"]
    assert spec["replicas"] == 0
    assert "minReadySeconds" not in spec


def test_an_empty_struct_that_was_given_stays():
    spec = decode("Pod", {"spec": {"volumes": [{"name": "v", "emptyDir": {}}], "securityContext": {}}}).obj["spec"]
    assert spec["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert spec["securityContext"] == {}


def test_values_take_their_canonical_form():
    container = decode("Pod", pod(resources={"limits": {"cpu": 0.5, "memory": "1024Ki"}})).obj["spec"]["containers"][0]
    assert container["resources"] == {"limits": {"cpu": "500m", "memory": "1Mi"}}
    lease = {"spec": {"renewTime": "2026-11-24T01:00:00.000001+01:00"}}
    assert decode("Lease", lease, "coordination.k8s.io/v1").obj["spec"] == {"renewTime": "2026-11-24T00:00:00.000001Z"}
    assert decode("Secret", {"data": {"a": "YW\nJj"}}).obj["data"] == {"a": "YWJj"}


def test_ports_may_be_numbers_or_names():
    for port in (80, "http"):
        probe = {"httpGet": {"port": port}}
        decoded = decode("Pod", pod(livenessProbe=probe))
        assert decoded.obj["spec"]["containers"][0]["livenessProbe"] == probe


def test_nothing_given_is_changed():
    data = pod(resources={"limits": {"cpu": "1000m"}}, foo=1)
    before = copy.deepcopy(data)
    decode("Pod", data)
    assert data == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*fields(model_for("v1", "Pod")), "spec", "containers", "name", "resources", "limits", "volumes"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "x"]), JSON, max_size=4))
def test_any_json_decodes_to_a_fixed_point_or_is_refused(data):
    model = model_for("v1", "Pod")
    try:
        once = decode_json(model, data).obj
    except DecodeError:
        return
    again = decode_json(model, once)
    assert again.obj == once
    assert again.unknown == []
