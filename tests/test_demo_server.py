"""What the page's server answers, and all that it refuses."""

import base64
import hashlib
import http.client
import io
import json
import re
import socket
import threading

import numpy as np
import pytest
from edgetpu_stand_in import NAMES, write_model
from PIL import Image

from deepgbass.demo.facts import page_facts
from deepgbass.demo.segmenting import Demo
from deepgbass.demo.server import DemoServer
from deepgbass.demo.upload import MAX_BYTES
from deepgbass.errors import UserError
from deepgbass.ondevice.predictor import open_predictor


def png(size=(50, 30), color="red"):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def serve(server):
    threading.Thread(target=server.serve_forever, args=[0.02]).start()
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "toy.tflite"
    write_model(path)
    models = [open_predictor(path).model]
    facts = page_facts(models, "runtime 1")
    with DemoServer(0, facts, Demo(models).segment) as server:
        yield serve(server)
        server.shutdown()


def ask(server, method, path, body=None, **headers):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection(*server.server_address, timeout=20)
    headers = {name.replace("_", "-"): x for name, x in headers.items()}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def say(server, text):
    """The answer to bytes as they are."""
    with socket.create_connection(server.server_address, timeout=20) as client:
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


def refused(answer, status, pattern):
    found, headers, body = answer
    assert found == status
    assert headers["Content-Type"] == "application/json"
    message = json.loads(body)["error"]
    assert re.search(pattern, message), message
    assert message.endswith((".", "it."))


def test_only_this_machine_can_ask(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_address[1]}/"


def test_the_page_runs_nothing_but_its_own_script(server):
    status, headers, body = ask(server, "GET", "/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(
            f"<{tag}>(.*)</{tag}>".encode(), body, re.DOTALL
        )
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert b"http://" not in body and b"https://" not in body
    assert b"src=" not in body
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_models_describe_themselves(server):
    status, _, body = ask(server, "GET", "/models")
    (model,) = json.loads(body)["models"]
    assert status == 200
    assert [known["name"] for known in model["classes"]] == list(NAMES)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_image_is_segmented(server, host):
    host = f"{host}:{server.server_address[1]}"
    origin = {"Host": host, "Origin": f"http://{host}"}
    status, _, body = ask(server, "POST", "/segment", png(), **origin)
    assert status == 200
    labels = base64.b64decode(json.loads(body)["models"][0]["png"])
    found = np.asarray(Image.open(io.BytesIO(labels)))
    np.testing.assert_array_equal(found, np.zeros((30, 50)))


@pytest.mark.parametrize(
    ("headers", "pattern"),
    [
        ({"Host": "evil.example"}, "not the address of the demo"),
        ({"Host": "127.0.0.1"}, "not the address"),
        ({"Host": "localhost:1"}, "not the address"),
        ({"Origin": "http://evil.example"}, "Only the demo's own page"),
        ({"Origin": "null"}, "Only the demo's own page"),
        ({"Origin": "https://localhost:1"}, "Only the demo's own page"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/models", "/segment"])
def test_other_sites_get_nothing(server, path, headers, pattern):
    method = "POST" if path == "/segment" else "GET"
    refused(ask(server, method, path, **headers), 403, pattern)


def test_a_request_has_one_host(server):
    host = server.url.removeprefix("http://").rstrip("/").encode()
    for hosts in (b"", b"Host: %b\r\nHost: evil\r\n" % host):
        answer = say(server, b"GET / HTTP/1.1\r\n%b\r\n" % hosts)
        assert answer.startswith(b"HTTP/1.0 403")


@pytest.mark.parametrize(
    "path",
    [
        "/page.html",
        "/../setup.py",
        "/%2e%2e/setup.py",
        "/models/",
        "/?x",
        "//127.0.0.1/models",
        "/segment\\..\\x",
    ],
)
def test_there_are_three_addresses(server, path):
    refused(ask(server, "GET", path), 404, "no such page")


def test_no_other_address_is_fetched(server):
    host = server.url.removeprefix("http://").rstrip("/").encode()
    start = b"GET http://evil.example/ HTTP/1.1\r\nHost: " + host
    assert say(server, start + b"\r\n\r\n").startswith(b"HTTP/1.0 404")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/segment", "POST"),
        ("POST", "/", "GET"),
        ("PUT", "/segment", "POST"),
        ("DELETE", "/models", "GET"),
        ("OPTIONS", "/segment", "POST"),
    ],
)
def test_each_takes_one_method(server, method, path, allowed):
    answer = ask(server, method, path, b"x" if method == "POST" else None)
    refused(answer, 405, f"takes {allowed}, not {method}")
    assert answer[1]["Allow"] == allowed


def test_a_head_has_no_body(server):
    status, _, body = ask(server, "HEAD", "/")
    assert (status, body) == (405, b"")


def test_unknown_methods_and_nonsense_are_errors(server):
    refused(ask(server, "BREW", "/"), 501, "BREW")
    for text in (b"nonsense\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\x16\x03\r\n"):
        assert b'{"error": ' in say(server, text)


@pytest.mark.parametrize(
    ("headers", "status", "pattern"),
    [
        ({"Transfer_Encoding": "chunked"}, 411, "how long it is"),
        ({"Content_Length": "abc"}, 400, "not a number"),
        ({"Content_Length": "-1"}, 400, "not a number"),
        ({"Content_Length": "1" * 5000}, 400, "not a number"),
        ({"Content_Length": "0"}, 400, "is empty"),
        ({"Content_Length": str(MAX_BYTES + 1)}, 413, "at most 25 MB"),
        ({"Content_Length": "9" * 18}, 413, "at most 25 MB"),
    ],
)
def test_lengths_are_checked_before_anything_is_read(
    server, headers, status, pattern
):
    # Nothing follows the headers: who waited for a body would wait for long.
    refused(ask(server, "POST", "/segment", **headers), status, pattern)


def test_an_upload_has_one_length(server):
    host = server.url.removeprefix("http://").rstrip("/").encode()
    start = b"POST /segment HTTP/1.1\r\nHost: " + host + b"\r\n"
    answer = say(server, start + b"\r\n")
    assert answer.startswith(b"HTTP/1.0 411")
    lengths = b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    assert say(server, start + lengths).startswith(b"HTTP/1.0 400")
    answer = say(server, start + b"Content-Length: 9\r\n\r\nab")
    assert b"ended before the file did" in answer


def test_a_large_upload_is_told_why_even_if_it_is_sent(server):
    answer = ask(server, "POST", "/segment", bytes(MAX_BYTES + 1))
    refused(answer, 413, "25.0 MB; at most 25 MB")


@pytest.mark.parametrize(
    ("content", "status", "pattern"),
    [
        (b"text", 415, "not an image"),
        (png()[:60], 422, "broken"),
        (png((5001, 4000)), 413, "20.0 megapixels; at most 20"),
    ],
)
def test_bad_images_are_refused(server, content, status, pattern):
    refused(ask(server, "POST", "/segment", content), status, pattern)


@pytest.mark.parametrize(
    ("error", "pattern"),
    [
        (UserError("m.tflite failed: no device"), "The model failed: m.tflite"),
        (RuntimeError("oops"), r"failed \(RuntimeError: oops\)"),
        (MemoryError(), "failed .MemoryError"),
    ],
)
def test_a_failure_is_told_and_survived(error, pattern, capsys):
    faults = [error]

    def segment(content):
        if faults:
            raise faults.pop()
        return {"bytes": len(content)}

    with DemoServer(0, {}, segment) as server:
        serve(server)
        refused(ask(server, "POST", "/segment", b"x"), 500, pattern)
        status, _, body = ask(server, "POST", "/segment", b"xy")
        server.shutdown()
    assert (status, json.loads(body)) == (200, {"bytes": 2})
    # What is no fault of the visitor's can be looked for.
    told = "Traceback" in capsys.readouterr().err
    assert told is not isinstance(error, UserError)


def test_a_visitor_who_leaves_is_no_error(server, capsys):
    host = server.url.removeprefix("http://").rstrip("/").encode()
    with socket.create_connection(server.server_address) as client:
        client.sendall(b"POST /segment HTTP/1.1\r\nHost: " + host)
        client.sendall(b"\r\nContent-Length: 99\r\n\r\nx")
    assert ask(server, "GET", "/models")[0] == 200
    assert capsys.readouterr().err == ""


def test_a_port_in_use_is_named(server):
    port = server.server_address[1]
    with pytest.raises(UserError, match=f"--port={port} is in use"):
        DemoServer(port, {}, None)
