import pytest
from sampan_api.documents import DecodeError, decode_yaml, decode_yaml_documents, load_json


def test_json_is_read():
    assert load_json(b'{"a": [1, 2.5, null, "x"]}') == ({"a": [1, 2.5, None, "x"]}, [])


def test_keys_that_occur_twice_are_named_with_their_paths():
    body = b'{"data":{"a":"1","a":"2"},"spec":{"c":[{"x":1,"x":2,"x":3}]}}'
    data, duplicates = load_json(body, find_duplicates=True)
    assert data["data"] == {"a": "2"}
    assert duplicates == ["data.a", "spec.c[0].x"]
    assert load_json(body)[1] == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "unexpected end of JSON input"),
        (b'{"a":', "unexpected end of JSON input"),
        (b'{"a":"b', "unexpected end of JSON input"),
        (b"hello", "invalid character 'h' looking for beginning of value"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"{} x", "invalid character 'x' after top-level value"),
    ],
)
def test_broken_json_is_told_as_go_tells_it(body, message):
    with pytest.raises(DecodeError) as raised:
        load_json(body)
    assert str(raised.value) == message


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 1000 + b"]" * 1000, b'{"a":' * 300 + b"1" + b"}" * 300])
def test_deep_json_is_refused_and_not_recursed_into(body):
    with pytest.raises(DecodeError):
        load_json(body, find_duplicates=True)


@pytest.mark.parametrize("body", [b'{"a": NaN}', b'{"a": "\xff"}', b'"\\ud800"', b'"a\nb"'])
def test_what_json_does_not_allow_is_refused(body):
    with pytest.raises(DecodeError):
        load_json(body)


def test_huge_numbers_are_no_trap():
    data, duplicates = load_json(b'{"a": ' + b"9" * 300 + b', "b": 1, "b": 2}', find_duplicates=True)
    assert data["b"] == 2
    assert duplicates == ["b"]
    with pytest.raises(DecodeError):
        load_json(b'{"a": ' + b"9" * 5000 + b"}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("y", True),
        ("Off", False),
        ("n", False),
        ("null", None),
        ("~", None),
        ("0777", 511),
        ("0x10", 16),
        ("1_000", 1000),
        ("08", 8),
        ("1e3", 1000),
        ("1.5", 1.5),
        ("2.0", 2),
        ("22:22", "22:22"),
        ("=", "="),
        ("2026-11-23", "2026-11-23"),
        ("2026-99-99T00:00:00Z", "2026-99-99T00:00:00Z"),
        ("'5'", "5"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_yaml_scalars_are_those_of_kubernetes(text, value):
    assert decode_yaml(f"a: {text}") == {"a": value}


def test_yaml_keys_become_texts():
    assert decode_yaml("{1: a, yes: b, null: c, 1.5: d}") == {"1": "a", "true": "b", "null": "c", "1.5": "d"}


def test_empty_documents_of_a_stream_are_skipped():
    assert decode_yaml_documents("---\na: 1\n---\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]
    assert decode_yaml("") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{{", "error converting YAML to JSON: yaml: line 1: did not find expected node content"),
        ("a: &x [1]\nb: *x", "line 2: aliases are not accepted"),
        ("a: .nan", "unsupported value"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: " + "9" * 5000, "error converting YAML to JSON"),
        ("a: !!set {x}", "unsupported type"),
    ],
)
def test_bad_yaml_is_refused(text, message):
    with pytest.raises(DecodeError) as raised:
        decode_yaml(text)
    assert message in str(raised.value)


def test_a_star_that_is_no_alias_is_welcome():
    assert decode_yaml("a: '*'\nb: 2 * 3") == {"a": "*", "b": "2 * 3"}


def test_a_yaml_key_set_twice_counts_last_unless_strict():
    assert decode_yaml("a: 1\nb: 2\na: 3") == {"a": 3, "b": 2}
    with pytest.raises(DecodeError) as raised:
        decode_yaml("a: 1\nb: 2\na: 3", strict=True)
    assert str(raised.value).endswith('yaml: unmarshal errors:\n  line 3: key "a" already set in map')
    assert decode_yaml("a: yes\nb: 2", strict=True) == {"a": True, "b": 2}


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? "])
def test_deep_yaml_is_refused_before_it_costs_anything(piece):
    with pytest.raises(DecodeError, match=r"exceeded max(imum nesting)? depth"):
        decode_yaml(piece * 500_000)
