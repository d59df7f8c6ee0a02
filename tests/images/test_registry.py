"""Pulls from a registry on loopback that behaves as the distribution spec says, tokens and redirects included."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sampan_runtime.images.errors import BadImage, ImageNotFound, RegistryError
from sampan_runtime.images.reference import parse
from sampan_runtime.images.registry import Credentials, pull
from sampan_runtime.images.store import ImageStore


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


CONFIG = json.dumps({"config": {"Cmd": ["x"]}, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
MANIFEST = json.dumps(
    {"schemaVersion": 2, "config": {"digest": digest(CONFIG), "size": len(CONFIG)}, "layers": []}
).encode()


class Handler(BaseHTTPRequestHandler):
    token = ""
    corrupt = False
    seen: list

    def do_GET(self):
        authorization = self.headers.get("Authorization", "")
        type(self).seen.append((self.path, authorization))
        here = f"http://{self.headers['Host']}"
        if self.path.startswith("/token"):
            return self.answer(200, json.dumps({"token": self.token}).encode())
        if self.path.startswith("/elsewhere/"):
            return self.answer(200, CONFIG + b"x" if self.corrupt else CONFIG)
        if self.token and authorization != f"Bearer {self.token}":
            challenge = f'Bearer realm="{here}/token",service="s",scope="repository:app:pull"'
            return self.answer(401, b"{}", {"WWW-Authenticate": challenge})
        if self.path == "/v2/app/manifests/v1" or self.path.endswith(digest(MANIFEST)):
            return self.answer(200, MANIFEST)
        if self.path.endswith(digest(CONFIG)):
            port = self.server.server_address[1]
            return self.answer(307, b"", {"Location": f"http://localhost:{port}/elsewhere/config"})
        return self.answer(404, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).encode())

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def registry():
    handler = type("Fresh", (Handler,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(tmp_path):
    return ImageStore(tmp_path)


def test_an_image_is_pulled_by_tag_and_digest(registry, store):
    _, host = registry
    image = pull(store, parse(f"{host}/app:v1"), Credentials(), 5)
    assert image.tags == (f"{host}/app:v1",)
    assert image.digests == (f"{host}/app@{digest(MANIFEST)}",)
    assert image.config.cmd == ("x",)
    assert pull(store, parse(f"{host}/app@{digest(MANIFEST)}"), Credentials(), 5).id == image.id


def test_a_token_is_fetched_and_never_sent_to_where_a_blob_is_redirected(registry, store):
    handler, host = registry
    handler.token = "secret-token"
    pull(store, parse(f"{host}/app:v1"), Credentials(username="u", password="p"), 5)
    seen = dict(handler.seen)
    assert seen["/elsewhere/config"] == ""
    token = next(authorization for path, authorization in handler.seen if path.startswith("/token"))
    assert token == "Basic " + base64.b64encode(b"u:p").decode()


def test_a_blob_that_is_not_its_digest_is_refused(registry, store):
    handler, host = registry
    handler.corrupt = True
    with pytest.raises(BadImage):
        pull(store, parse(f"{host}/app:v1"), Credentials(), 5)
    assert store.images() == []


def test_an_unknown_image_is_not_found(registry, store):
    with pytest.raises(ImageNotFound):
        pull(store, parse(f"{registry[1]}/app:v2"), Credentials(), 5)


def test_nobody_listening_is_said_clearly(store):
    with pytest.raises(RegistryError, match=r"localhost:1.*refused"):
        pull(store, parse("localhost:1/app"), Credentials(), 5)
