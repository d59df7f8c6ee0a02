"""Acting as somebody else: who may, and who one is then."""

import pytest
from api_harness import Http
from sampan_api.client import UserInfo
from sampan_api.errors import BadRequest, Forbidden
from sampan_master.apiserver.auth.impersonation import impersonated

ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ADMIN = UserInfo("root", ["system:masters"])
EVE = UserInfo("eve", ["system:authenticated"])


def become(user: UserInfo, *headers: tuple[str, str]) -> UserInfo:
    return impersonated(user, [(name.encode(), value.encode()) for name, value in headers])


async def test_all_four_headers_say_who_one_is(http: Http) -> None:
    headers = {
        "Impersonate-User": "bob",
        "Impersonate-Group": "g1",
        "Impersonate-Uid": "u-1",
        "Impersonate-Extra-Scopes%2fA": "view",
    }
    answer = await http("POST", ME, {}, headers)
    assert answer.code == 201
    assert answer.json["status"]["userInfo"] == {
        "username": "bob",
        "uid": "u-1",
        "groups": ["g1", "system:authenticated"],
        "extra": {"scopes/a": ["view"]},
    }


async def test_the_impersonated_user_has_only_its_own_rights(http: Http) -> None:
    answer = await http("GET", "/api/v1/namespaces/ct/pods", headers={"Impersonate-User": "bob"})
    said = 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "ct"'
    assert (answer.code, answer.json["message"]) == (403, said)
    masters = {"Impersonate-User": "bob", "Impersonate-Group": "system:masters"}
    assert (await http("GET", "/api/v1/namespaces/ct/pods", headers=masters)).code == 200


def test_a_service_account_brings_its_groups_unless_others_are_named() -> None:
    name = "system:serviceaccount:ct:bob"
    assert become(ADMIN, ("impersonate-user", name)).groups == [
        "system:serviceaccounts",
        "system:serviceaccounts:ct",
        "system:authenticated",
    ]
    groups = become(ADMIN, ("impersonate-user", name), ("impersonate-group", "g")).groups
    assert groups == ["g", "system:authenticated"]


def test_anonymous_and_unauthenticated_do_not_become_authenticated() -> None:
    assert become(ADMIN, ("impersonate-user", "system:anonymous")).groups == ["system:unauthenticated"]
    asked = ("impersonate-user", "bob"), ("impersonate-group", "system:unauthenticated")
    assert become(ADMIN, *asked).groups == ["system:unauthenticated"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "admin",
            'users "admin" is forbidden: User "eve" cannot impersonate resource "users" in API group ""'
            " at the cluster scope",
        ),
        (
            "system:serviceaccount:ct:bob",
            'serviceaccounts "bob" is forbidden: User "eve" cannot impersonate resource "serviceaccounts"'
            ' in API group "" in the namespace "ct"',
        ),
        (
            "system:serviceaccount:ct",
            'users "system:serviceaccount:ct" is forbidden: User "eve" cannot impersonate resource "users"'
            ' in API group "" at the cluster scope',
        ),
    ],
)
def test_who_may_not_is_told_what_exactly(name: str, said: str) -> None:
    with pytest.raises(Forbidden) as refused:
        become(EVE, ("impersonate-user", name))
    assert refused.value.message == said


def test_groups_without_a_user_are_a_mistake() -> None:
    with pytest.raises(BadRequest) as refused:
        become(ADMIN, ("impersonate-group", "g"))
    assert refused.value.message == "requested [{Group  g    }] without impersonating a user"


def test_an_empty_user_header_alone_changes_nothing() -> None:
    assert become(EVE, ("impersonate-user", "")) is EVE
