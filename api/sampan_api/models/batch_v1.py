"""batch/v1: Job, and CronJob that makes Jobs by the clock."""

from sampan_api.fields import Int32, Int64, Model, Time, field
from sampan_api.models.core_v1.pod import PodTemplateSpec
from sampan_api.models.core_v1.references import ObjectReference
from sampan_api.models.meta_v1 import LabelSelector, ObjectMeta, ObjectModel


class PodFailurePolicyOnExitCodesRequirement(Model):
    """Which exit codes a rule is about."""

    containerName: str | None = field(1, "Only those of this container; absent: of any.", pointer=True)
    operator: str = field(
        2,
        "Whether the code must be among `values` (In) or not (NotIn).",
        required=True,
        always=True,
        enum=("In", "NotIn"),
        go="v1.PodFailurePolicyOnExitCodesOperator",
    )
    values: list[Int32] = field(3, "The codes, in order.", required=True, list_type="set")


class PodFailurePolicyOnPodConditionsPattern(Model):
    """Which condition of a pod a rule is about."""

    type: str = field(1, "Type of the condition.", required=True, always=True, go="v1.PodConditionType")
    status: str | None = field(2, "Its status; True by default.", always=True, go="v1.ConditionStatus")


class PodFailurePolicyRule(Model):
    """What a failure of a certain kind means for the Job."""

    action: str = field(
        1,
        "FailJob ends the Job, FailIndex the index, Ignore does not count it, Count counts it.",
        required=True,
        always=True,
        enum=("Count", "FailIndex", "FailJob", "Ignore"),
        go="v1.PodFailurePolicyAction",
    )
    onExitCodes: PodFailurePolicyOnExitCodesRequirement | None = field(2, "Failures with certain exit codes.")
    onPodConditions: list[PodFailurePolicyOnPodConditionsPattern] | None = field(
        3, "Failures of pods in certain conditions; one of them is enough.", list_type="atomic"
    )


class PodFailurePolicy(Model):
    """What failures mean for the Job, by their kind."""

    rules: list[PodFailurePolicyRule] = field(1, "The first that fits decides.", required=True, list_type="atomic")


class SuccessPolicyRule(Model):
    """Successes that are enough."""

    succeededIndexes: str | None = field(1, "These indexes, such as `1,3-5`.", pointer=True)
    succeededCount: Int32 | None = field(2, "So many indexes, of those above if they are given.", pointer=True)


class SuccessPolicy(Model):
    """When an indexed Job has succeeded before all its indexes have."""

    rules: list[SuccessPolicyRule] = field(1, "One that holds is enough.", required=True, list_type="atomic")


class JobSpec(Model):
    """What shall be done, how often, and how long it may be tried."""

    parallelism: Int32 | None = field(1, "Pods that may run at once; 1 by default.", pointer=True)
    completions: Int32 | None = field(
        2, "Pods that must succeed; absent: one success ends the whole work.", pointer=True
    )
    activeDeadlineSeconds: Int64 | None = field(3, "The Job fails when it is active for longer.", pointer=True)
    podFailurePolicy: PodFailurePolicy | None = field(11, "What failures mean, by their kind.")
    successPolicy: SuccessPolicy | None = field(16, "Successes that are enough.")
    backoffLimit: Int32 | None = field(7, "Retries before the Job fails; 6 by default.", pointer=True)
    backoffLimitPerIndex: Int32 | None = field(12, "Retries before an index fails.", pointer=True)
    maxFailedIndexes: Int32 | None = field(13, "The Job fails when more indexes have failed.", pointer=True)
    selector: LabelSelector | None = field(4, "Pods that count; made by the server.")
    manualSelector: bool | None = field(5, "True: the selector was chosen by the client.", pointer=True)
    template: PodTemplateSpec = field(6, "How pods are made.", required=True, always=True)
    ttlSecondsAfterFinished: Int32 | None = field(8, "The Job is deleted this long after it has ended.", pointer=True)
    completionMode: str | None = field(
        9,
        "NonIndexed (the default), or Indexed: each pod has its own number.",
        pointer=True,
        enum=("Indexed", "NonIndexed"),
        go="v1.CompletionMode",
    )
    suspend: bool | None = field(10, "While true, no pods are made and those there are end.", pointer=True)
    podReplacementPolicy: str | None = field(
        14,
        "When a pod is replaced: TerminatingOrFailed, or Failed, once it has ended.",
        pointer=True,
        enum=("Failed", "TerminatingOrFailed"),
        go="v1.PodReplacementPolicy",
    )
    managedBy: str | None = field(15, "Another controller that does the work.", pointer=True)


class JobCondition(Model):
    """One observation about a Job."""

    type: str = field(1, "Which observation this is.", required=True, always=True, go="v1.JobConditionType")
    status: str = field(2, "True, False or Unknown.", required=True, always=True, go="v1.ConditionStatus")
    lastProbeTime: Time | None = field(3, "When it was last checked.", always=True)
    lastTransitionTime: Time | None = field(4, "When `status` last changed from one value to another.", always=True)
    reason: str | None = field(5, "One CamelCase word for programs: why it is so.")
    message: str | None = field(6, "A sentence for people.")


class UncountedTerminatedPods(Model):
    """Pods that have ended and are not yet in the counts."""

    succeeded: list[str] | None = field(1, "UIDs of those that succeeded.", list_type="set", go="[]types.UID")
    failed: list[str] | None = field(2, "UIDs of those that failed.", list_type="set", go="[]types.UID")


class JobStatus(Model):
    """How far the work is."""

    conditions: list[JobCondition] | None = field(
        1,
        "Observations such as Complete, Failed and Suspended.",
        patch="merge",
        merge_key="type",
        list_type="atomic",
    )
    startTime: Time | None = field(2, "When the controller took it up, or took it up again.", pointer=True)
    completionTime: Time | None = field(3, "When it was complete.", pointer=True)
    active: Int32 | None = field(4, "Pods that are pending or running.")
    succeeded: Int32 | None = field(5, "Pods that succeeded.")
    failed: Int32 | None = field(6, "Pods that failed.")
    terminating: Int32 | None = field(11, "Pods that are being deleted.", pointer=True)
    completedIndexes: str | None = field(7, "Indexes that are done, such as `1,3-5`.")
    failedIndexes: str | None = field(10, "Indexes that have failed, such as `1,3-5`.", pointer=True)
    uncountedTerminatedPods: UncountedTerminatedPods | None = field(8, "Pods not yet in the counts.")
    ready: Int32 | None = field(9, "Active pods that are ready.", pointer=True)


class Job(ObjectModel):
    """Runs pods until enough of them have succeeded."""

    API_VERSION = "batch/v1"

    spec: JobSpec | None = field(2, "What is wanted.", always=True)
    status: JobStatus | None = field(3, "What was observed.", always=True)


class JobTemplateSpec(Model):
    """The Jobs that a CronJob makes."""

    metadata: ObjectMeta | None = field(1, "Their labels and annotations.", always=True)
    spec: JobSpec | None = field(2, "Their spec.", always=True)


class CronJobSpec(Model):
    """When Jobs are made, and which."""

    schedule: str = field(1, "Minute, hour, day, month and weekday, as cron has them.", required=True, always=True)
    timeZone: str | None = field(8, "IANA name of the zone of the schedule; the master's by default.", pointer=True)
    startingDeadlineSeconds: Int64 | None = field(
        2, "A Job that could not be made for longer than this is left out.", pointer=True
    )
    concurrencyPolicy: str | None = field(
        3,
        "While the last Job still runs: Allow (the default) another, Forbid it, or Replace the old one.",
        enum=("Allow", "Forbid", "Replace"),
        go="v1.ConcurrencyPolicy",
    )
    suspend: bool | None = field(4, "While true, no Jobs are made.", pointer=True)
    jobTemplate: JobTemplateSpec = field(5, "The Jobs to make.", required=True, always=True)
    successfulJobsHistoryLimit: Int32 | None = field(6, "Jobs that succeeded and are kept; 3 by default.", pointer=True)
    failedJobsHistoryLimit: Int32 | None = field(7, "Jobs that failed and are kept; 1 by default.", pointer=True)


class CronJobStatus(Model):
    """Which Jobs it has made."""

    active: list[ObjectReference] | None = field(1, "Jobs that run.", list_type="atomic")
    lastScheduleTime: Time | None = field(4, "When a Job was last made.", pointer=True)
    lastSuccessfulTime: Time | None = field(5, "When a Job last succeeded.", pointer=True)


class CronJob(ObjectModel):
    """Makes Jobs by the clock."""

    API_VERSION = "batch/v1"

    spec: CronJobSpec = field(2, "What is wanted.", required=True, always=True)
    status: CronJobStatus | None = field(3, "What was observed.", always=True)
