"""A cause that was found, and the codes by which causes are known."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

Object = dict[str, Any]


class Cause(StrEnum):
    # Pods that no node has been chosen for
    SCHEDULING_GATED = "SchedulingGated"
    UNKNOWN_SCHEDULER = "UnknownScheduler"
    NO_SCHEDULER = "NoSchedulerRunning"
    WAITING_FOR_SCHEDULER = "WaitingForScheduler"
    WAITING_FOR_PREEMPTION = "WaitingForPreemption"
    NO_NODES = "NoNodes"
    INSUFFICIENT_RESOURCES = "InsufficientResources"
    NODE_AFFINITY = "NodeAffinityMismatch"
    UNTOLERATED_TAINT = "UntoleratedTaint"
    NODE_CORDONED = "NodeCordoned"
    NODE_NAME = "NodeNameMismatch"
    PORT_CONFLICT = "HostPortConflict"
    TOPOLOGY_SPREAD = "TopologySpread"
    POD_AFFINITY = "PodAffinityUnsatisfied"
    POD_ANTI_AFFINITY = "PodAntiAffinityConflict"
    UNSCHEDULABLE = "Unschedulable"
    # Pods on a node
    STARTING = "Starting"
    NODE_GONE = "NodeGone"
    NODE_NOT_READY = "NodeNotReady"
    SANDBOX = "SandboxFailed"
    VOLUME = "VolumeFailed"
    MISSING_CONFIG_MAP = "MissingConfigMap"
    MISSING_SECRET = "MissingSecret"
    MISSING_KEY = "MissingKey"
    CONTAINER_CONFIG = "ContainerConfigError"
    CONTAINER_CREATE = "ContainerCreateError"
    CONTAINER_START = "ContainerStartError"
    IMAGE_NAME_INVALID = "ImageNameInvalid"
    IMAGE_NEVER_PULL = "ImageNeverPull"
    IMAGE_NOT_FOUND = "ImageNotFound"
    IMAGE_DENIED = "ImagePullDenied"
    REGISTRY_UNREACHABLE = "RegistryUnreachable"
    IMAGE_PULL = "ImagePullFailed"
    COMMAND_NOT_FOUND = "CommandNotFound"
    NOT_EXECUTABLE = "CommandNotExecutable"
    OUT_OF_MEMORY = "OutOfMemory"
    KILLED = "KilledBySignal"
    EXITED_WITH_ERROR = "ExitedWithError"
    EXITS_AT_ONCE = "ExitsWithoutError"
    LIVENESS_PROBE = "LivenessProbeFails"
    STARTUP_PROBE = "StartupProbeFails"
    POST_START_HOOK = "PostStartHookFails"
    INIT_CONTAINER_RUNS = "InitContainerRunning"
    READINESS_PROBE = "ReadinessProbeFails"
    READINESS_GATE = "ReadinessGateClosed"
    NOT_READY = "NotReady"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    EVICTED = "Evicted"
    # What is being deleted
    FINALIZERS = "FinalizersRemain"
    FOREGROUND_DELETION = "DependentsRemain"
    GRACE_PERIOD = "GracePeriod"
    PRE_STOP_HOOK = "PreStopHook"
    KILL_OVERDUE = "KillOverdue"
    NAMESPACE_CONTENT = "NamespaceContentRemains"
    # What makes pods
    NO_CONTROLLER = "NoController"
    CONTROLLER_BEHIND = "ControllerBehind"
    QUOTA = "QuotaExceeded"
    MISSING_PRIORITY_CLASS = "MissingPriorityClass"
    MISSING_SERVICE_ACCOUNT = "MissingServiceAccount"
    MISSING_RUNTIME_CLASS = "MissingRuntimeClass"
    CREATION_FORBIDDEN = "CreationForbidden"
    CREATION_INVALID = "CreationInvalid"
    CREATION_FAILED = "CreationFailed"
    DELETION_FAILED = "DeletionFailed"
    MIN_READY_SECONDS = "MinReadySeconds"
    PAUSED = "Paused"
    BACKOFF_LIMIT = "BackoffLimitExceeded"
    PROGRESS_DEADLINE = "ProgressDeadlineExceeded"
    # What selects pods
    SELECTS_NOTHING = "SelectsNothing"
    DISRUPTIONS_BLOCKED = "DisruptionsBlocked"
    # Nodes
    NODE_SILENT = "NodeSilent"
    NODE_PRESSURE = "NodePressure"
    NODE_TAINTED = "NodeTainted"
    # All kinds
    WARNED = "Warned"
    NOTHING_WRONG = "NothingWrong"


class Finding(NamedTuple):
    """`subject` is what has the cause (`pod/x`, `container c of pod/x`); `evidence` is what was seen, in others' words;
    `fix` is the smallest thing to do about it, "" when there is nothing to do but wait."""

    cause: Cause
    subject: str
    text: str
    evidence: tuple[str, ...] = ()
    fix: str = ""

    def as_data(self) -> Object:
        return {
            "cause": str(self.cause),
            "subject": self.subject,
            "text": self.text,
            "evidence": [line for line in self.evidence if line],
            "fix": self.fix,
        }
