import pytest
from sampan_api.election import Terms
from sampan_master.settings import Address, parse


def settings(*more):
    return parse(["--data-dir", "/d", "--in-memory", *more])


def refused(capsys, *argv):
    with pytest.raises(SystemExit):
        parse(list(argv))
    return capsys.readouterr().err


def test_a_store_must_be_chosen_and_only_one(capsys):
    assert "one of --etcd URL and --in-memory" in refused(capsys, "--data-dir", "/d")
    assert "one of --etcd" in refused(capsys, "--data-dir", "/d", "--in-memory", "--etcd", "http://127.0.0.1:2379")


def test_pods_and_services_do_not_share_addresses(capsys):
    more = ("--cluster-cidr", "10.100.0.0/16", "--service-cidr", "10.96.0.0/12")
    assert "overlap" in refused(capsys, "--data-dir", "/d", "--in-memory", *more)


def test_several_addresses_can_be_listened_on_and_the_first_is_advertised():
    found = settings("--listen", "127.0.0.1:6443", "--listen", "10.77.0.1:6443")
    assert found.listen == (Address("127.0.0.1", 6443), Address("10.77.0.1", 6443))
    assert found.advertise == Address("127.0.0.1", 6443)


def test_all_addresses_cannot_be_advertised():
    assert settings("--listen", "0.0.0.0:7443").advertise == Address("127.0.0.1", 7443)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", ("10.0.0.1", 6443)),
        ("10.0.0.1:7000", ("10.0.0.1", 7000)),
        ("master.example", ("master.example", 6443)),
        ("fd00::1", ("fd00::1", 6443)),
        ("[fd00::1]:7000", ("fd00::1", 7000)),
    ],
)
def test_the_advertised_address_may_lack_its_port(text, expected):
    assert settings("--advertise", text).advertise == Address(*expected)


def test_ipv6_addresses_are_written_in_brackets():
    (address,) = settings("--listen", "[::1]:6443").listen
    assert (address, str(address)) == (Address("::1", 6443), "[::1]:6443")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("*", {"scheduler", "controllers"}),
        ("scheduler", {"scheduler"}),
        ("controllers, scheduler", {"scheduler", "controllers"}),
        ("*,-scheduler", {"controllers"}),
        ("none", set()),
    ],
)
def test_parts_are_chosen_as_controllers_are_in_kubernetes(given, expected):
    assert settings("--components", given).components == expected


def test_everything_runs_unless_something_is_said():
    assert settings().components == {"scheduler", "controllers"}


def test_leader_election_has_the_terms_of_kubernetes_unless_others_are_given():
    assert settings().election == Terms(15, 10, 2)
    more = ("--leader-elect-lease-duration", "1m", "--leader-elect-renew-deadline", "40s")
    assert settings(*more, "--leader-elect-retry-period", "500ms").election == Terms(60, 40, 0.5)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--listen", "6443", "is not IP:PORT"),
        ("--listen", "localhost:6443", "is not an IP address"),
        ("--listen", "127.0.0.1:70000", "is not IP:PORT"),
        ("--etcd", "https://127.0.0.1:2379", "http://HOST:PORT"),
        ("--cluster-cidr", "10.244.0.0/33", "10.244.0.0/33"),
        ("--service-cidr", "fd00::/108", "is not an IPv4 network"),
        ("--service-cidr", "10.96.0.0/30", "between /8 and /28"),
        ("--node-ports", "30000", "is not FIRST-LAST"),
        (
            "--components",
            "scheduler,shedulers",
            "'shedulers' is no part of the master; there are",
        ),
        ("--components=-scheduler", "", "write '*,-scheduler'"),
        ("--components", "", "the API alone is 'none'"),
        ("--leader-elect-lease-duration", "15", "is not a duration such as 15s"),
        ("--leader-elect-lease-duration", "5s", "must be longer than the renew deadline"),
        ("--leader-elect-lease-duration", "15500ms", "is not a number of whole seconds"),
        ("--leader-elect-retry-period", "0s", "retry period more than 0 s"),
        ("--node-ports", "32000-31000", "is not FIRST-LAST"),
    ],
)
def test_wrong_values_are_refused_with_a_reason(capsys, option, value, message):
    words = [option] if "=" in option else [option, value]
    assert message in refused(capsys, "--data-dir", "/d", "--in-memory", *words)
