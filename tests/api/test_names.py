import pytest
from sampan_api import names


@pytest.mark.parametrize("name", ["a", "a-b", "0a", "a" * 63])
def test_labels_that_are_names(name):
    assert names.dns_label(name) == []


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a.b", "a_b", "a\n"])
def test_labels_that_are_none(name):
    (problem,) = names.dns_label(name)
    assert problem.startswith("a lowercase RFC 1123 label must consist of")


def test_too_long_is_said_before_the_grammar():
    assert names.dns_label("A" * 64)[0] == "must be no more than 63 bytes"
    assert names.dns_subdomain("a" * 254) == ["must be no more than 253 bytes"]


def test_the_sentence_for_an_object_name():
    assert names.dns_subdomain("Bad") == [
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
        "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    ]


def test_the_sentence_for_a_label_key():
    assert names.qualified_name("a b") == [
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
        "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    ]


@pytest.mark.parametrize("key", ["a", "A.b_c-d", "example.com/name", "kubernetes.io/metadata.name"])
def test_label_keys_that_are_good(key):
    assert names.qualified_name(key) == []


@pytest.mark.parametrize(
    ("key", "start"),
    [
        ("/a", "prefix part must be non-empty"),
        ("a/", "name part must be non-empty"),
        ("A/b", "prefix part a lowercase RFC 1123 subdomain"),
        ("a/b/c", "a qualified name must consist of"),
    ],
)
def test_label_keys_that_are_not(key, start):
    assert names.qualified_name(key)[0].startswith(start)


def test_a_label_value_may_be_empty_but_not_start_with_a_dash():
    assert names.label_value("") == []
    assert names.label_value("-c")[0].startswith("a valid label must be an empty string or consist of")


@pytest.mark.parametrize(("key", "good"), [("a.b", True), ("..data", False), (".", False), ("a b", False)])
def test_config_keys_become_safe_file_names(key, good):
    assert (names.config_key(key) == []) is good


def test_environment_names_are_printable_without_equals():
    assert names.env_name("A.B-c") == []
    assert names.env_name("A=B")
    assert names.env_name("")


def test_port_names_need_a_letter_and_fifteen_characters():
    assert names.port_name("http") == []
    assert names.port_name("80") == ["must contain at least one letter (a-z)"]
    assert "must be no more than 15 characters" in names.port_name("a" * 16)
