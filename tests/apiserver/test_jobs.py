"""Jobs and CronJobs: what the server makes of them, and what it refuses."""

from typing import Any

import pytest
from api_harness import IMAGE, MERGE, Http
from sampan_api.clock import parse_time
from sampan_master.apiserver.resources.kinds import cronjobs, jobs
from sampan_master.apiserver.validation.job_policies import IndexesError, count_indexes

JOBS = "/apis/batch/v1/namespaces/default/jobs"
CRONJOBS = "/apis/batch/v1/namespaces/default/cronjobs"
NOW = parse_time("2026-01-01T01:00:00Z")


def template(**pod: Any) -> dict[str, Any]:
    return {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": IMAGE}], **pod}}


def job(name: str = "j", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"template": template(), **spec}}


def cron_job(name: str = "cj", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template()}}, **spec},
    }


def policy(**rule: Any) -> dict[str, Any]:
    return {"podFailurePolicy": {"rules": [{"action": "FailJob", **rule}]}}


def codes(*values: int, **more: Any) -> dict[str, Any]:
    return {"onExitCodes": {"operator": "In", "values": list(values), **more}}


RULE = "spec.podFailurePolicy.rules[0]"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"parallelism": -1}, "spec.parallelism: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"completionMode": "Odd"},
            'spec.completionMode: Unsupported value: "Odd": supported values: "NonIndexed", "Indexed"',
        ),
        (
            {"completionMode": "Indexed", "parallelism": 1},
            "spec.completions: Required value: when completion mode is Indexed",
        ),
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
        (
            {"managedBy": "me"},
            'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")',
        ),
        (
            {"podReplacementPolicy": "TerminatingOrFailed", **policy(**codes(1))},
            'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
        ),
        (policy(), f"{RULE}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"),
        (policy(**codes(0)), f"{RULE}.onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"),
        (policy(**codes(2, 1)), f"{RULE}.onExitCodes.values: Invalid value: [2,1]: must be ordered"),
        (policy(**codes(1, 1)), f"{RULE}.onExitCodes.values[1]: Duplicate value: 1"),
        (
            policy(**codes(1, containerName="x")),
            f'{RULE}.onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names'
            " in the pod template",
        ),
        (
            policy(action="FailIndex", **codes(1)),
            f'{RULE}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
        ),
        (
            {**policy(**codes(1)), "template": template(restartPolicy="OnFailure")},
            'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when'
            " podFailurePolicy is specified",
        ),
        (
            {"completionMode": "Indexed", "completions": 3, "successPolicy": {"rules": [{"succeededIndexes": "1-5"}]}},
            'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "1-5": error parsing succeededIndexes:'
            ' too large index: "5"',
        ),
    ],
)
async def test_work_that_cannot_be_done_is_refused(http: Http, spec: dict[str, Any], said: str) -> None:
    answer = await http("POST", JOBS, job(**spec))
    assert (answer.code, answer.json["message"]) == (422, f'Job.batch "j" is invalid: {said}')


async def test_a_job_selects_its_own_pods_by_labels_that_the_server_makes(http: Http) -> None:
    made = (await http("POST", JOBS, {**job(), "metadata": {"generateName": "j-", "labels": {"mine": "1"}}})).json
    uid, name = made["metadata"]["uid"], made["metadata"]["name"]
    assert made["metadata"]["labels"] == {"mine": "1"}
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert made["spec"]["template"]["metadata"]["labels"] == {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }


def test_a_name_that_was_made_again_is_in_the_labels_too() -> None:
    labels = {"job-name": "j-a", "batch.kubernetes.io/job-name": "j-a", "controller-uid": "u"}
    obj = {"metadata": {"name": "j-b"}, "spec": {"template": {"metadata": {"labels": labels}}}}
    jobs.RESOURCE.rename(obj, "j-a")
    assert labels == {"job-name": "j-b", "batch.kubernetes.io/job-name": "j-b", "controller-uid": "u"}


async def test_labels_that_belong_to_another_job_are_refused(http: Http) -> None:
    """As when a Job was read, renamed and created again."""
    old = {"metadata": {"labels": {"job-name": "other"}}, **template()}
    answer = await http("POST", JOBS, job(template=old))
    assert answer.code == 422
    assert "spec.template.metadata.labels[job-name]: Invalid value: " in answer.json["message"]
    assert "must be 'j'" in answer.json["message"]


async def test_a_selector_of_ones_own_must_be_asked_for(http: Http) -> None:
    labelled = {"metadata": {"labels": {"a": "b"}}, **template()}
    own = {"selector": {"matchLabels": {"a": "b"}}, "template": labelled}
    made = (await http("POST", JOBS, job(manualSelector=True, **own))).json
    assert made["spec"]["selector"] == own["selector"]
    assert made["spec"]["template"]["metadata"] == {"labels": {"a": "b"}}


async def test_a_running_job_keeps_its_template_and_completions(http: Http) -> None:
    await http("POST", JOBS, job())
    assert (await http("PATCH", f"{JOBS}/j", {"spec": {"parallelism": 3, "suspend": True}}, MERGE)).code == 200
    await http("POST", JOBS, job("k"))
    change = {"spec": {"completions": 2, "template": {"spec": {"nodeSelector": {"a": "b"}}}}}
    answer = await http("PATCH", f"{JOBS}/k", change, MERGE)
    assert [cause["field"] for cause in answer.json["details"]["causes"]] == ["spec.completions", "spec.template"]


async def test_a_suspended_job_may_be_sent_elsewhere_but_not_do_something_else(http: Http) -> None:
    await http("POST", JOBS, job(suspend=True))
    resources = [{"name": "c", "image": IMAGE, "resources": {"requests": {"cpu": "1"}}}]
    change = {"nodeSelector": {"a": "b"}, "containers": resources}
    assert (await http("PATCH", f"{JOBS}/j", {"spec": {"template": {"spec": change}}}, MERGE)).code == 200
    other = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "other"}]}}}}
    assert (await http("PATCH", f"{JOBS}/j", other, MERGE)).json["details"]["causes"][0][
        "field"
    ] == "spec.template.spec"
    await http("PATCH", f"{JOBS}/j/status", {"status": {"startTime": "2026-01-01T00:00:00Z", "active": 1}}, MERGE)
    answer = await http("PATCH", f"{JOBS}/j", {"spec": {"template": {"spec": {"nodeSelector": {"a": "c"}}}}}, MERGE)
    assert answer.json["details"]["causes"][0]["field"] == "spec.template"


async def test_a_deleted_job_leaves_its_pods_unless_told_otherwise(http: Http) -> None:
    for name in "jkl":
        await http("POST", JOBS, job(name))
    answer = await http("DELETE", f"{JOBS}/j")
    assert answer.json["metadata"]["finalizers"] == ["orphan"]
    assert "child pods are preserved by default" in answer.header("warning")
    answer = await http("DELETE", f"{JOBS}/k", {"propagationPolicy": "Background"})
    assert (answer.json["status"], answer.header("warning")) == ("Success", "")
    answer = await http("DELETE", f"{JOBS}/l", {"propagationPolicy": "Orphan"})
    assert (answer.json["metadata"]["finalizers"], answer.header("warning")) == (["orphan"], "")


async def test_jobs_are_selected_by_their_successes(http: Http) -> None:
    await http("POST", JOBS, job())
    await http("PATCH", f"{JOBS}/j/status", {"status": {"succeeded": 1}}, MERGE)
    assert len((await http("GET", f"{JOBS}?fieldSelector=status.successful=1")).json["items"]) == 1
    assert (await http("GET", f"{JOBS}?fieldSelector=status.successful=0")).json["items"] == []


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        ({"completions": 2}, {"succeeded": 1, "startTime": "2026-01-01T00:50:00Z"}, ["Running", "1/2", "10m"]),
        ({"parallelism": 3}, {}, ["Running", "0/1 of 3", ""]),
        (
            {"completions": 1},
            {
                "succeeded": 1,
                "startTime": "2026-01-01T00:00:00Z",
                "completionTime": "2026-01-01T00:00:07Z",
                "conditions": [{"type": "Complete", "status": "True"}],
            },
            ["Complete", "1/1", "7s"],
        ),
        ({}, {"conditions": [{"type": "Suspended", "status": "True"}]}, ["Suspended", "0/1", ""]),
    ],
)
def test_the_cells_of_a_job(spec: dict[str, Any], status: dict[str, Any], cells: list[str]) -> None:
    obj = {**job(**spec), "status": status}
    obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    assert jobs.RESOURCE.cells(obj, NOW) == ["j", *cells, "60m", "c", IMAGE, "<none>"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"schedule": ""}, "spec.schedule: Required value"),
        (
            {"schedule": "61 * * * *"},
            'spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61',
        ),
        (
            {"schedule": "TZ=UTC 0 * * * *"},
            'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule,'
            " use timeZone field instead",
        ),
        ({"timeZone": "Mars/Base"}, 'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'),
        ({"timeZone": "../UTC"}, 'spec.timeZone: Invalid value: "../UTC": unknown time zone ../UTC'),
        ({"timeZone": "America"}, 'spec.timeZone: Invalid value: "America": unknown time zone America'),
        (
            {"concurrencyPolicy": "Maybe"},
            'spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"',
        ),
        (
            {"failedJobsHistoryLimit": -1},
            "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            {"jobTemplate": {"spec": {"template": template(), "manualSelector": True}}},
            'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
        ),
        (
            {"jobTemplate": {"spec": {"template": template(restartPolicy="Always")}}},
            'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
    ],
)
async def test_a_cron_job_that_cannot_be_kept_is_refused(http: Http, spec: dict[str, Any], said: str) -> None:
    answer = await http("POST", CRONJOBS, cron_job(**spec))
    assert (answer.code, answer.json["message"]) == (422, f'CronJob.batch "cj" is invalid: {said}')


async def test_a_cron_job_leaves_room_for_the_time_behind_its_name(http: Http) -> None:
    assert (await http("POST", CRONJOBS, cron_job("x" * 52))).code == 201
    answer = await http("POST", CRONJOBS, cron_job("x" * 53))
    assert "must be no more than 52 characters" in answer.json["message"]


async def test_a_cron_job_may_name_its_time_zone(http: Http) -> None:
    made = await http("POST", CRONJOBS, cron_job(timeZone="Europe/Paris"))
    assert (made.code, made.json["spec"]["timeZone"]) == (201, "Europe/Paris")


def test_the_cells_of_a_cron_job() -> None:
    obj = cron_job(suspend=False)
    obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    cells = cronjobs.RESOURCE.cells(obj, NOW)
    assert cells == ["cj", "* * * * *", "<none>", "False", 0, "<none>", "60m", "c", IMAGE, "<none>"]
    obj["status"] = {"active": [{"name": "cj-1"}], "lastScheduleTime": "2026-01-01T00:59:00Z"}
    assert cronjobs.RESOURCE.cells(obj, NOW)[3:6] == ["False", 1, "60s"]


def true(*kinds: str) -> list[dict[str, str]]:
    return [{"type": kind, "status": "True"} for kind in kinds]


START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
ENDED = {"startTime": START, "completionTime": END, "conditions": true("SuccessCriteriaMet", "Complete")}


@pytest.mark.parametrize(
    ("status", "causes"),
    [
        ({"active": -1}, ["status.active"]),
        ({"active": 1, "ready": 2}, ["status.ready"]),
        ({"conditions": true("Failed"), "startTime": START}, ["status.conditions"]),
        ({"conditions": true("Failed", "FailureTarget")}, ["status.startTime"]),
        ({"conditions": true("SuccessCriteriaMet", "FailureTarget")}, ["status.conditions"]),
        ({"completionTime": END}, ["status.completionTime"]),
        ({**ENDED, "active": 1}, ["status.active"]),
        ({**ENDED, "startTime": "2026-01-01T00:02:00Z"}, ["status.completionTime"]),
        ({"completedIndexes": "0"}, ["status.completedIndexes"]),
        ({"failedIndexes": "0"}, ["status.failedIndexes"]),
        ({"uncountedTerminatedPods": {"failed": ["a", "a"]}}, ["status.uncountedTerminatedPods.failed[1]"]),
    ],
)
async def test_a_status_that_contradicts_itself_is_refused(
    http: Http, status: dict[str, Any], causes: list[str]
) -> None:
    await http("POST", JOBS, job())
    answer = await http("PATCH", f"{JOBS}/j/status", {"status": status}, MERGE)
    assert answer.code == 422, answer.text
    assert [cause["field"] for cause in answer.json["details"]["causes"]] == causes


async def test_what_a_job_has_reached_is_not_taken_back(http: Http) -> None:
    await http("POST", JOBS, job())
    done = {**ENDED, "succeeded": 1}
    assert (await http("PATCH", f"{JOBS}/j/status", {"status": done}, MERGE)).code == 200
    answer = await http("PATCH", f"{JOBS}/j/status", {"status": {"succeeded": 0, "conditions": []}}, MERGE)
    assert {cause["message"] for cause in answer.json["details"]["causes"]} >= {
        "Invalid value: cannot disable the terminal Complete=True condition",
        "Invalid value: 0: cannot decrease the succeeded counter",
        "Invalid value: cannot disable the SuccessCriteriaMet=True condition",
    }


@pytest.mark.parametrize(("text", "count"), [("", 0), ("0", 1), ("1,3-5", 4)])
def test_lists_of_indexes_are_counted(text: str, count: int) -> None:
    assert count_indexes(text, 6) == count


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", 'cannot convert string to integer for index: "x"'),
        ("6", 'too large index: "6"'),
        ("3-1", "non-increasing order, previous: 3, current: 1"),
        ("2,1", "non-increasing order, previous: 2, current: 1"),
        (
            "1-2-3",
            'the fragment "1-2-3" violates the requirement that an index interval can have'
            " at most two parts separated by '-'",
        ),
    ],
)
def test_what_is_no_list_of_indexes_is_named(text: str, said: str) -> None:
    with pytest.raises(IndexesError) as caught:
        count_indexes(text, 6)
    assert str(caught.value) == said
