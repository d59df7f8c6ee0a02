"""`sampan exec`: WebSocket, subprotocol v5.channel.k8s.io; the first byte of each message is its channel."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import ssl
import sys
import termios
import tty
from collections.abc import Iterator
from typing import Any

from sampan_cli import containers
from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.session import Session, from_args
from sampan_cli.websocket import CLOSE, PING, PONG, HandshakeRefused, Message, Parser, frame, handshake

PROTOCOL = "v5.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE_CHANNEL = 0, 1, 2, 3, 4, 255
CHUNK = 32 * 1024


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="POD|TYPE/NAME")
    parser.add_argument("-c", "--container", default="")
    parser.add_argument("-i", "--stdin", action="store_true", help="pass standard input on")
    parser.add_argument("-t", "--tty", action="store_true", help="on a terminal")
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.usage = f"{parser.prog} POD [-c CONTAINER] [-i] [-t] -- COMMAND [ARG...]"


def run(args: argparse.Namespace) -> int:
    if not args.words:
        raise UsageError("pod or type/name must be specified")
    if len(args.words) > 1:
        raise UsageError("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead")
    if not args.command:
        raise UsageError("you must specify at least one command for the container")
    session = from_args(args)
    pod = containers.pod_of(session, args.words[0])
    path = f"/api/v1/namespaces/{session.namespace}/pods/{pod['metadata']['name']}"
    phase = pod.get("status", {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise CliError(f"error: cannot exec into a container in a completed pod; current phase is {phase}")
    container = containers.choose(pod, args.container)
    terminal = args.tty and args.stdin and os.isatty(0)
    if args.tty and not terminal:
        print("Unable to use a TTY - input is not a terminal or the right kind of file", file=sys.stderr)
    query = [("command", word) for word in args.command] + [("container", container)]
    query += [("stdin", "true")] if args.stdin else []
    query += [("stdout", "true"), ("tty", "true")] if terminal else [("stdout", "true"), ("stderr", "true")]
    sock, rest = _open(session, f"{path}/exec", query)
    with contextlib.closing(sock), _raw_terminal() if terminal else contextlib.nullcontext():
        return _Streams(sock, args.stdin, terminal).run(rest)


def _open(session: Session, path: str, query: list[tuple[str, str]]) -> tuple[socket.socket, bytes]:
    api = session.api
    sock = api.open_socket()
    try:
        rest = handshake(sock, api.target(path, query), f"{api.host}:{api.port}", PROTOCOL, api.authorization())
    except HandshakeRefused as refused:
        sock.close()
        raise _refused(refused) from refused
    return sock, rest


def _refused(refused: HandshakeRefused) -> CliError:
    try:
        status = json.loads(refused.body)
    except ValueError:
        text = refused.body.decode(errors="replace").strip()
        return CliError(f"error: unable to upgrade connection: {text or refused.code}")
    return ServerError(refused.code, status)


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


class _Streams:
    """Copies between our descriptors and the socket until the status message, which holds the exit code."""

    def __init__(self, sock: socket.socket, stdin: bool, terminal: bool) -> None:
        self._sock = sock
        self._stdin = stdin
        self._terminal = terminal
        self._parser = Parser()
        self._status: dict[str, Any] | None = None

    def run(self, rest: bytes) -> int:
        if self._terminal:
            self._resize()
            signal.signal(signal.SIGWINCH, lambda _number, _frame: self._resize())
        closed = self._handle(self._parser.feed(rest))
        while not closed:
            readers = [self._sock] + ([sys.stdin] if self._stdin else [])
            pending = isinstance(self._sock, ssl.SSLSocket) and self._sock.pending()
            ready = [self._sock] if pending else select.select(readers, [], [])[0]
            if sys.stdin in ready:
                self._pass_stdin()
            if self._sock in ready:
                data = self._sock.recv(65536)
                closed = not data or self._handle(self._parser.feed(data))
        return _exit_code(self._status)

    def _pass_stdin(self) -> None:
        data = os.read(0, CHUNK)
        if data:
            self._sock.sendall(frame(bytes([STDIN]) + data))
        else:
            self._stdin = False
            self._sock.sendall(frame(bytes([CLOSE_CHANNEL, STDIN])))

    def _resize(self) -> None:
        size = os.get_terminal_size(0)
        body = json.dumps({"Width": size.columns, "Height": size.lines}).encode()
        self._sock.sendall(frame(bytes([RESIZE]) + body))

    def _handle(self, messages: list[Message]) -> bool:
        """Whether the stream is over."""
        for message in messages:
            if message.opcode == CLOSE:
                return True
            if message.opcode == PING:
                self._sock.sendall(frame(message.payload, PONG))
            elif message.opcode < CLOSE and message.payload:
                self._channel(message.payload[0], message.payload[1:])
        return self._status is not None

    def _channel(self, channel: int, data: bytes) -> None:
        if channel in (STDOUT, STDERR):
            _write(channel, data)
        elif channel == STATUS:
            self._status = json.loads(data)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _exit_code(status: dict[str, Any] | None) -> int:
    if status is None:
        raise CliError("error: the connection was closed before the command ended")
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if status.get("reason") == "NonZeroExitCode" and cause.get("reason") == "ExitCode":
            code = int(cause["message"])
            raise CliError(f"command terminated with exit code {code}", code)
    raise CliError(f"error: {status.get('message', 'the command failed')}")
