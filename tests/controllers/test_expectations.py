"""A set is looked at again when the caches have come as far as what was written for it."""

from sampan_api.meta import Key
from sampan_master.controllers.expectations import Expectations

WEB, MAIL = Key("d", "web"), Key("d", "mail")


class Cache:
    def __init__(self):
        self.revision = "0"


def written(revision):
    return {"metadata": {"resourceVersion": revision}}


def made():
    owners, pods = Cache(), Cache()
    return Expectations(owners, pods), owners, pods


def test_each_cache_must_have_come_as_far_as_the_last_write_of_its_kind():
    expectations, owners, pods = made()
    assert expectations.satisfied(WEB)
    for revision in ("5", "3"):
        expectations.wrote_pod(WEB, written(revision))
    expectations.wrote_owner(WEB, written("7"))
    pods.revision = "5"
    assert not expectations.satisfied(WEB)
    assert expectations.satisfied(MAIL)
    owners.revision = "6"
    assert not expectations.satisfied(WEB)
    owners.revision = "7"
    assert expectations.satisfied(WEB)
    pods.revision = owners.revision = "0"
    assert expectations.satisfied(WEB), "once met, nothing more is expected"


def test_after_a_doubt_a_list_says_how_far_the_cache_must_come():
    expectations, _, pods = made()
    expectations.doubt(WEB)
    assert expectations.is_in_doubt(WEB)
    assert not expectations.is_in_doubt(MAIL)
    pods.revision = "9"
    assert not expectations.satisfied(WEB)
    expectations.resolve(WEB, [written("11"), written("10")])
    assert not expectations.is_in_doubt(WEB)
    assert not expectations.satisfied(WEB)
    pods.revision = "11"
    assert expectations.satisfied(WEB)


def test_a_set_that_is_gone_expects_nothing():
    expectations, _, _ = made()
    expectations.wrote_pod(WEB, written("5"))
    expectations.doubt(WEB)
    expectations.forget(WEB)
    assert not expectations.is_in_doubt(WEB)
    assert expectations.satisfied(WEB)


def test_an_answer_without_a_revision_is_nothing_to_wait_for():
    expectations, _, _ = made()
    expectations.wrote_pod(WEB, {"metadata": {}})
    assert expectations.satisfied(WEB)
