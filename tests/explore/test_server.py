"""The explorer's server: right answers for its page, and none for anybody else."""

import contextlib
import http.client
import io
import json
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

import untwine as ut
from untwine.explore import Explorer, Workbench

from .test_workbench import encoded

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

TOKEN = "a-token-for-these-tests"


@pytest.fixture(scope="module")
def bench(vae, data):
    return Workbench(vae, data, n=60)


@pytest.fixture(scope="module")
def explorer(bench):
    with Explorer([bench, bench], token=TOKEN) as explorer:
        yield explorer


def port_of(explorer):
    return int(explorer.url.split(":")[2].split("/")[0])


def ask(explorer, path, body=None, *, method=None, token=TOKEN, headers=None, host=None):
    """The status, the headers and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(explorer), timeout=30)
    method = method or ("GET" if body is None else "POST")
    raw = json.dumps(body).encode() if isinstance(body, dict | list) else body
    connection.putrequest(method, f"/{token}/{path}", skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or f"127.0.0.1:{port_of(explorer)}")
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    if raw is not None:
        connection.putheader("Content-Length", str(len(raw)))
    connection.endheaders(raw)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer


def test_answers_are_those_of_the_workbench(explorer, bench):
    (run, _) = json.loads(ask(explorer, "api/runs")[2])
    assert run["size"] == [16, 16]
    assert [knob["index"] for knob in run["knobs"]] == [knob.index for knob in bench.knobs]
    start = json.loads(ask(explorer, "api/1/start?row=7")[2])
    np.testing.assert_allclose(start["code"], bench.start(7).code, atol=1e-4)
    status, headers, pixels = ask(explorer, "api/0/decode", {"codes": [start["code"]], "row": 7})
    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    assert pixels == bench.decode([start["code"]]).tobytes()
    shown = encoded(Image.fromarray(bench.start(9).picture))
    brought = json.loads(ask(explorer, "api/0/encode?row=", shown)[2])
    np.testing.assert_allclose(brought["code"], bench.start(9).code, atol=1e-4)
    assert brought["row"] is None
    values = np.frombuffer(ask(explorer, "api/0/points?axes=pc1,z2,row")[2], "<f4").reshape(3, 60)
    np.testing.assert_array_equal(values[1], bench.atlas.mean[:, 2])
    np.testing.assert_array_equal(values[2], bench.atlas.factors[:, 1])
    assert len(ask(explorer, "api/0/points?axes=z0&since=58")[2]) == 8
    table = json.loads(ask(explorer, "api/0/table", {"points": [3, 4]})[2])
    assert table == dict(zip(("header", "rows"), bench.table([3, 4]), strict=True)) | {"total": 2}
    text = ask(explorer, "api/0/csv", {"points": [3, 4]})[2].decode().splitlines()
    assert text[0] == "observation,size,row,column,z0,z1,z2,z3"
    assert len(text) == 3
    groups = {"first": list(range(20)), "second": list(range(20, 60))}
    direction = json.loads(ask(explorer, "api/0/direction", groups)[2])
    expected = bench.direction(groups["first"], groups["second"])
    np.testing.assert_allclose(direction["step"], expected.step, atol=1e-4)
    inline = json.loads(ask(explorer, "api/0/decoder")[2])
    assert inline == {"program": bench.inline.program, "weights": bench.inline.text}
    film = ask(explorer, "api/0/film", {"codes": [start["code"]] * 3})[2]
    with Image.open(io.BytesIO(film)) as gif:
        assert gif.format == "GIF"
    lines = ask(explorer, "api/0/lines", {"codes": [start["code"]]})[2].decode()
    assert lines == bench.lines(start["code"])
    drawn = json.loads(ask(explorer, "api/0/draw?seed=3")[2])["code"]
    np.testing.assert_allclose(drawn, bench.draw(3), atol=1e-4)


def test_the_page_is_whole_and_asks_for_nothing_elsewhere(explorer):
    status, headers, page = ask(explorer, "")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers
    names = {entry.name for entry in files("untwine.explore").joinpath("page").iterdir()}
    assert {"index.html", "explorer.css", "explorer.js"} <= names
    asked = set(re.findall(r'(?:href|src)="([\w.]+)"', page.decode()))
    assert {"base.css", "explorer.css", "decoder.js"} <= asked
    for name in sorted(names | asked - {"index.html"}):
        status, headers, content = ask(explorer, name)
        assert status == 200
        text = content.decode()
        assert "http://" not in text.replace("http://www.w3.org", "")
        assert "https://" not in text
    assert b"http" not in page.replace(b"http-equiv", b"")


def test_it_answers_on_loopback_alone(explorer):
    assert explorer._socket.getsockname()[0] == "127.0.0.1"
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in own - {"127.0.0.1"}:
        if address.startswith("127."):
            continue
        with pytest.raises(ConnectionError):
            socket.create_connection((address, port_of(explorer)), timeout=2).close()


def test_only_its_own_page_may_ask(explorer):
    port = port_of(explorer)
    own = f"http://127.0.0.1:{port}"
    assert ask(explorer, "api/alive", headers={"Origin": own})[0] == 200
    assert ask(explorer, "api/alive", host=f"localhost:{port}")[0] == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil", ""):
        assert ask(explorer, "api/alive", host=host or " ")[0] in (400, 421)
    for origin in ("null", "http://evil.example", f"https://127.0.0.1:{port}", own + ".evil"):
        assert ask(explorer, "api/alive", headers={"Origin": origin})[0] == 403
    for site in ("cross-site", "same-site"):
        assert ask(explorer, "api/alive", headers={"Sec-Fetch-Site": site})[0] == 403
        assert ask(explorer, "", headers={"Sec-Fetch-Site": site})[0] == 200  # a link may open it
    for token in ("", "a", TOKEN + "x", TOKEN[:-1], TOKEN.upper(), "%00", "é".encode().hex()):
        assert ask(explorer, "api/alive", token=token)[0] == 404
    assert b"untwine" not in ask(explorer, "", token="guess")[2].lower()


def test_paths_lead_nowhere_else(explorer):
    paths = [
        "../explorer.py", "..%2f..%2fetc%2fpasswd", "....//etc/passwd", "%2e%2e/server.py", "page/",
        "/etc/passwd", "explorer.js/../../server.py", "explorer.js%00.css", "__init__.py", "api",
        "api/9/start?row=0", "api/-1/start?row=0", "api/0/nothing", "api/0", "static/explorer.js",
    ]  # fmt: skip
    for path in paths:
        assert ask(explorer, path)[0] in (400, 404), path


BAD_BODIES = [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"codes": NaN}',
    b'{"codes": [["a", "b"]]}', b'{"codes": [[1e999, 0, 0, 0]]}',
    b'{"codes": [[0, 0, 0, 0]], "row": 60}',
    b'{"codes": [[0, 0, 0, 0]], "row": true}', b'{"codes": [[0, 0, 0, 0]], "row": "7"}',
    b'{"codes": [[0, 0, 0]]}', b'{"codes": [0, 0, 0, 0]}', b'{"codes": [[[0, 0, 0, 0]]]}',
    b'{"points": [-1], "first": [-1], "second": [0]}',
    b'{"points": [60], "first": [60], "second": []}',
    b'{"points": [0.5], "first": [], "second": []}', b'{"points": "0"}', b'{"points": [true]}',
    b'{"codes": [[' + b"1" * 5000 + b", 0, 0, 0]]}", b'{"codes": {"0": 1}, "points": {"0": 1}}',
    json.dumps({"codes": [[0, 0, 0, 0]] * 300, "milliseconds": 5}).encode(),
]  # fmt: skip


@pytest.mark.parametrize("question", ["decode", "film", "direction", "table", "csv", "lines"])
def test_bad_bodies_are_refused_in_words(explorer, question):
    for body in BAD_BODIES:
        good = question in ("table", "csv") and body == b'{"points": []}'
        status, _, answer = ask(explorer, f"api/0/{question}", body)
        if not good:
            assert status == 400, (body[:60], answer[:200])
            assert len(json.loads(answer)["error"]) > 10


def test_uploads_are_bounded_and_of_known_formats(explorer):
    url = "api/0/encode?row=0"
    with contextlib.suppress(ConnectionError):  # refused while it is still being sent
        assert ask(explorer, url, bytes(16 * 2**20 + 1))[0] == 413
    assert ask(explorer, url, headers={"Content-Length": "9" * 14}, method="POST")[0] == 413
    assert ask(explorer, url, headers={"Content-Length": "-1"}, method="POST")[0] == 400
    chunked = [b"x" * 2**20] * 17
    connection = http.client.HTTPConnection("127.0.0.1", port_of(explorer), timeout=30)
    with contextlib.suppress(OSError):
        connection.request("POST", f"/{TOKEN}/{url}", iter(chunked), encode_chunked=True)
    with contextlib.suppress(OSError, http.client.HTTPException):
        assert connection.getresponse().status == 413
    connection.close()
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    for content in (eps, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", b"PK\3\4", b""):
        status, _, answer = ask(explorer, url, content)
        assert status == 400
        assert b"cannot be read as an image" in answer
    huge = encoded(Image.new("1", (9000, 9000)))
    status, _, answer = ask(explorer, url, huge)
    assert status == 400
    assert b"pixels" in answer
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert ask(explorer, url, b"--x--", headers=form)[0] == 415


def test_who_leaves_in_the_middle_leaves_nothing_behind(explorer, capfd):
    port = port_of(explorer)
    head = f"POST /{TOKEN}/api/0/decode HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
    assert ask(explorer, "api/alive")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def hostile(rng, port):
    """A request that nobody who is honest makes, as bytes."""
    end = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    verb = ["DELETE", "PUT", "TRACE", "OPTIONS", "PATCH", "CONNECT"][rng.integers(6)]
    path = f"/{TOKEN}/api/0/decode"
    noise = rng.integers(0, 256, int(rng.integers(1, 200)), dtype=np.uint8).tobytes()
    length = f"Content-Length: {len(noise)}\r\n"
    kinds = [
        noise + b"\r\n\r\n",
        f"GET /{noise.hex()}/{end}\r\n".encode(),
        f"GET /{TOKEN}/{'../' * int(rng.integers(1, 9))}etc/passwd{end}\r\n".encode(),
        f"GET /{TOKEN}/api/alive HTTP/1.1\r\nHost: {noise.hex()[:20]}.example\r\n\r\n".encode(),
        f"GET /{TOKEN}/api/alive{end}Origin: http://e{noise.hex()[:9]}\r\n\r\n".encode(),
        f"POST {path}{end}{length}\r\n".encode() + noise,
        f"POST {path}{end}Content-Length: 99999999999\r\n\r\n".encode(),
        f"{verb} {path}{end}\r\n".encode(),
        f"GET /{TOKEN}/{'a' * 9000}{end}\r\n".encode(),
        f"GET /{TOKEN}/api/0/start?row={noise.hex()}x{end}\r\n".encode(),
        f"GET /{end}X: {'y' * 20000}\r\n\r\n".encode(),
        f"POST /{TOKEN}/api/0/encode{end}{length}\r\n".encode() + noise,
    ]  # fmt: skip
    return kinds[rng.integers(len(kinds))]


def test_a_thousand_hostile_requests_are_refused_and_none_ends_it(explorer):
    port = port_of(explorer)

    def send(seed):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(hostile(np.random.default_rng(seed), port))
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while part := connection.recv(65536):
                    answer += part
        return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(1000)))
    statuses = [int(a.split(b" ")[1]) if a.startswith(b"HTTP/1.1 ") else 400 for a in answers]
    assert all(400 <= status < 500 for status in statuses), sorted(set(statuses))
    assert len(set(statuses)) >= 6
    assert ask(explorer, "api/alive")[0] == 200


def test_ten_sessions_at_once_have_the_pictures_of_their_own(explorer, bench):
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(10, 12, 4)).round(4)

    def session(k):
        connection = http.client.HTTPConnection("127.0.0.1", port_of(explorer), timeout=60)
        pictures = []
        for code in codes[k]:
            body = json.dumps({"codes": [code.tolist()]})
            connection.request("POST", f"/{TOKEN}/api/0/decode", body)
            pictures.append(connection.getresponse().read())
        connection.close()
        return pictures

    with ThreadPoolExecutor(10) as pool:
        sessions = list(pool.map(session, range(10)))
    for k in range(10):
        assert b"".join(sessions[k]) == bench.decode(codes[k]).tobytes()


def test_a_failure_inside_is_a_line_in_the_log_and_no_more(bench, caplog, monkeypatch):
    with Explorer([bench], token=TOKEN) as explorer:
        monkeypatch.setattr(bench, "decode", lambda *_: 1 / 0)
        status, _, answer = ask(explorer, "api/0/lines", {"codes": [[0, 0, 0, 0]]})
        assert status == 200
        status, _, answer = ask(explorer, "api/0/decode", {"codes": [[0, 0, 0, 0]]})
        assert status == 500
        assert b"ZeroDivision" not in answer
        assert "ZeroDivisionError" in caplog.text
        assert ask(explorer, "api/alive")[0] == 200


def test_it_shows_itself_in_a_notebook_and_ends(vae, data):
    explorer = ut.explore(vae, data, n=60)
    try:
        assert f'src="{explorer.url}"' in explorer._repr_html_()
        token = explorer.url.split("/")[3]
        policy = ask(explorer, "", token=token)[1]["content-security-policy"]
        assert "frame-ancestors http://127.0.0.1:* http://localhost:*" in policy
        with pytest.raises(OSError, match="cannot be had"):
            ut.explore(vae, data, n=60, port=port_of(explorer))
    finally:
        explorer.close()
    with pytest.raises(ConnectionError):
        ask(explorer, "", token=token)
    assert not explorer._thread.is_alive()


def test_arguments_that_cannot_be_are_refused(vae, data):
    with pytest.raises(ValueError, match="the token has 5 characters; expected 16 or more"):
        ut.explore(vae, data, n=60, token="short")
    with pytest.raises(ValueError, match="the token has 18 characters"):
        ut.explore(vae, data, n=60, token="with/a/slash/inside"[:18])
    with pytest.raises(ValueError, match="port is 70000"):
        ut.explore(vae, data, n=60, port=70000)
    with pytest.raises(ValueError, match="a VAE comes without data: give data="):
        ut.explore(vae)
    with pytest.raises(ValueError, match="nothing to explore"):
        ut.explore([])


def test_without_the_server_it_says_what_to_install(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r"pip install 'untwine\[explore\]'"):
        Explorer([bench])
