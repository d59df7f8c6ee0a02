"""HTTP/1.1 over a socket pair: the answers are written out by hand."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from sampan_cli.http1 import Answer, Connection, Disconnected, ProtocolError

Ask = Callable[..., Answer]


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    with theirs:
        theirs.settimeout(60)
        yield connection, theirs
    connection.close()


@pytest.fixture
def ask(pair: tuple[Connection, socket.socket]) -> Ask:
    """Asks with the answer already on its way; `end` closes the connection behind it."""

    def asked(answer: bytes, end: bool = False) -> Answer:
        connection, server = pair
        server.sendall(answer)
        if end:
            server.shutdown(socket.SHUT_WR)
        return connection.ask("GET", "/x", {"Host": "h"})

    return asked


def test_a_request_has_its_headers_and_the_length_of_its_body(pair: tuple[Connection, socket.socket]) -> None:
    connection, server = pair
    server.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
    assert connection.ask("POST", "/x?a=b", {"Host": "h:1"}, b"{}").status == 201
    assert server.recv(1000) == b"POST /x?a=b HTTP/1.1\r\nHost: h:1\r\nContent-Length: 2\r\n\r\n{}"


def test_answers_follow_each_other_on_one_connection(ask: Ask) -> None:
    two = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none" + b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\ntwo"
    first = ask(two)
    assert (first.status, first.read(), first.closes) == (200, b"one", False)
    second = ask(b"")
    assert (second.status, second.read()) == (404, b"two")


def test_chunks_are_joined_and_what_follows_them_is_read(ask: Ask) -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\n\nd\r\n0\r\nTrailer: t\r\n\r\n"
    )
    answer = ask(chunked + b"HTTP/1.1 204 No Content\r\n\r\n")
    assert list(answer.lines()) == [b"abc", b"d"]
    assert ask(b"").status == 204


def test_an_answer_without_a_length_ends_with_its_connection(ask: Ask) -> None:
    answer = ask(b"HTTP/1.1 200 OK\r\n\r\nrest", end=True)
    assert (answer.read(), answer.closes) == (b"rest", True)


def test_interim_answers_are_passed_over_and_repeated_headers_kept(ask: Ask) -> None:
    answer = ask(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nWarning: a\r\nwarning: b\r\nContent-Length: 0\r\n\r\n"
    )
    assert answer.headers["warning"] == ["a", "b"]


@pytest.mark.parametrize(
    "broken",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
    ],
)
def test_an_answer_that_breaks_off_or_is_no_answer_is_an_error(ask: Ask, broken: bytes) -> None:
    with pytest.raises(ProtocolError):
        ask(broken, end=True).read()


def test_no_answer_at_all_is_told_apart(ask: Ask) -> None:
    with pytest.raises(Disconnected):
        ask(b"", end=True)
