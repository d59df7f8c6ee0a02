"""Probes and life-cycle hooks, and the actions they are made of."""

from typing import ClassVar

from sampan_api.fields import Int32, Int64, IntOrString, Model, field
from sampan_api.models.core_v1.signals import SIGNALS


class ExecAction(Model):
    """Runs a command in the container; exit code 0 is success."""

    command: list[str] | None = field(1, "The program and its arguments; no shell is involved.", list_type="atomic")


class HTTPHeader(Model):
    """One header of a request."""

    name: str = field(1, "Its name.", required=True, always=True)
    value: str = field(2, "Its value.", required=True, always=True)


class HTTPGetAction(Model):
    """Sends a GET; a status from 200 to 399 is success."""

    path: str | None = field(1, "Path of the URL.")
    port: IntOrString = field(2, "Number or name of the port.", required=True, always=True)
    host: str | None = field(3, "Host to ask instead of the pod.")
    scheme: str | None = field(
        4, "HTTP or HTTPS, whose certificate is not checked.", enum=("HTTP", "HTTPS"), go="v1.URIScheme"
    )
    httpHeaders: list[HTTPHeader] | None = field(5, "Headers to send.", list_type="atomic")


class TCPSocketAction(Model):
    """Opens a TCP connection; being accepted is success."""

    port: IntOrString = field(1, "Number or name of the port.", required=True, always=True)
    host: str | None = field(2, "Host to ask instead of the pod.")


class GRPCAction(Model):
    """Asks the gRPC health service; SERVING is success."""

    port: Int32 = field(1, "The port.", required=True, always=True)
    service: str | None = field(2, "Name put into the request.", pointer=True)


class SleepAction(Model):
    """Waits."""

    seconds: Int64 = field(1, "For how long.", required=True, always=True)


class ProbeHandler(Model):
    """How health is found out; exactly one is set."""

    exec: ExecAction | None = field(1, "By running a command.")
    httpGet: HTTPGetAction | None = field(2, "By an HTTP request.")
    tcpSocket: TCPSocketAction | None = field(3, "By opening a connection.")
    grpc: GRPCAction | None = field(4, "By asking the gRPC health service.")


class Probe(ProbeHandler):
    """A regular check of a container's health."""

    EMBEDDED: ClassVar = {ProbeHandler: 1}

    initialDelaySeconds: Int32 | None = field(2, "Wait this long after the start before the first check.")
    timeoutSeconds: Int32 | None = field(3, "A check that takes longer has failed.")
    periodSeconds: Int32 | None = field(4, "Time between checks.")
    successThreshold: Int32 | None = field(5, "Successes in a row that make it healthy again.")
    failureThreshold: Int32 | None = field(6, "Failures in a row that make it unhealthy.")
    terminationGracePeriodSeconds: Int64 | None = field(
        7, "Grace when this probe kills the container, instead of the pod's.", pointer=True
    )


class LifecycleHandler(Model):
    """What a hook does; exactly one is set."""

    exec: ExecAction | None = field(1, "Run a command.")
    httpGet: HTTPGetAction | None = field(2, "Send an HTTP request.")
    tcpSocket: TCPSocketAction | None = field(3, "Not supported; kept for old objects.")
    sleep: SleepAction | None = field(4, "Wait.")


class Lifecycle(Model):
    """Hooks in the life of a container."""

    postStart: LifecycleHandler | None = field(1, "Runs right after the start; failing kills the container.")
    preStop: LifecycleHandler | None = field(
        2, "Runs before the container is told to stop; counts against the grace period."
    )
    stopSignal: str | None = field(
        3, "Signal that stops the container instead of the image's.", pointer=True, enum=SIGNALS, go="v1.Signal"
    )
