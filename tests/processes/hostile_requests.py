"""Make hostile HTTP requests, the same for the same seed: bytes as a client would write them."""

import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.e2e.service_process import STUDY, TOKEN

KEY = "stillhouse-0123456789ab"
PATHS = (
    "/health", "/openapi.json", "/api/key", "/api/submissions", "/api/submissions/x", f"/api/submissions/{KEY}",
    f"/api/submissions/{KEY}/stop", f"/api/submissions/{KEY}/logs", "/api/events?follow=false", "/", "/docs", "/nothing",
)  # fmt: skip
PARTS = (
    "..", ".", "%2e%2e", "%2e%2e%2f", "%252e%252e", "..%2f", "..%5c", "..\\", "%00", "%c0%ae%c0%ae", "%ff", "%", "%zz", "~",
    "etc", "passwd", "proc", "self", "environ", ";", "*", "$(touch canary)", "`touch canary`", "%0d%0aset-cookie:x", "?", "#",
    "a" * 3000, "\u202e", "queue.db", "{name}", "{{7*7}}", "'or 1=1--", '"', "<script>",
)  # fmt: skip
METHODS = (
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G\tT", "", "X" * 500,
    "GET\x00", "PRI",
)  # fmt: skip
LENGTHS = (
    "-1", "+5", "0x10", "1e3", "99999999999999999999", "9" * 5000, " 5", "5 5", "5,5", "5, 6", "", "0", "00000000005", "700000000",
    "5;x", "\u0665", "5.0",
)  # fmt: skip
TYPES = (
    "application/json", "application/json; charset=utf-16", "text/plain", "multipart/form-data; boundary=x", "application/zip",
    "application/x-www-form-urlencoded", "application/x-yaml", "application/xml", "application/json\t", "", "a" * 2000,
    "multipart/form-data", "application/problem+json", "application/json; charset=\x80",
)  # fmt: skip
HEADERS = (
    "transfer-encoding: identity", "transfer-encoding: chunked, identity", "transfer-encoding:\tchunked", "expect: 100-continue",
    "expect: nothing", "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13",
    "connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: x", "connection: keep-alive, close, te", "host: y", "host:", "range: bytes=0-",
    "last-event-id: -1", "last-event-id: " + "9" * 400, "last-event-id: \u00b2", "content-encoding: gzip", "x: " + "y" * 20_000,
    "x" * 20_000 + ": y", " folded: x", "x:\r\n folded", "no colon", ":", "x\x00: y", "x: \x01", "cookie: " + "a=b;" * 500,
    "authorization: Bearer other", "authorization: Basic Og==", "x-forwarded-for: 127.0.0.1", "x-http-method-override: DELETE",
    "accept: */*;q=nan", "accept-encoding: gzip;q=1e999", "origin: null", "content-length: 3", "transfer-encoding: xchunked",
)  # fmt: skip
TEXTS = (
    "!!python/object/apply:os.system ['touch canary']", "a: &a [x]\nb: [*a, *a]", "<<: {a: 1}", "%YAML 1.1\n---\n", "a: " + "[" * 500,
    "- " * 2000, "? " * 500, "\x00", "a: !!binary x", "---\n---\n", "a: " + "9" * 2000, "{" * 400, "a: 1\na: 2", "\t", "\ufeffname: x",
    "base: /etc/passwd", "name: ${STILLHOUSE_TOKEN}", "name: 'x'\ndataset: {kind: coco, root: /etc}", "x" * 200_000, "|\n  x",
)  # fmt: skip
NAMES = (
    "study.yaml", "../study.yaml", "/etc/passwd", "configs/0123abcd/own.py", "configs/0123abcd/../../x.py", "configs/0123abcd/.x",
    "", "a" * 5000, "study.yaml\x00", "STUDY.YAML", "configs/0123abcd/own.pickle", "\u202eyaml.yduts",
)  # fmt: skip
CODE = "__import__('os').system('touch canary')\nmodel = dict(type='GFL')\n"


class HostileRequest(NamedTuple):
    """Hold bytes to send; ``answered`` says that they are whole, so that an answer or an end is due at once."""

    name: str
    content: bytes
    answered: bool = True


def requests(count: int, seed: int) -> Iterator[HostileRequest]:
    """Yield so many requests."""
    chance = random.Random(seed)
    for number in range(count):
        made = chance.choice(KINDS)(chance)
        yield made._replace(name=f"{number} {made.name}")


def written(chance: random.Random, method: str, path: str, headers: list[str], body: bytes = b"") -> bytes:
    """Write a request; most have the token, and most tell the server to close."""
    lines = [f"{method} {path} {chance.choice(['HTTP/1.1'] * 20 + ['HTTP/1.0', 'HTTP/9.9', 'HTTP/1.1 x', ''])}"]
    lines += ["host: 127.0.0.1"] * chance.choice([1] * 20 + [0, 2])
    lines += [f"authorization: Bearer {TOKEN}"] * chance.choice([1] * 10 + [0, 2])
    lines += headers
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body


def with_body(
    chance: random.Random, name: str, path: str, body: bytes, kind: str = "application/json"
) -> HostileRequest:
    headers = [f"content-length: {len(body)}", f"content-type: {kind}"]
    return HostileRequest(name, written(chance, "POST", path, headers, body))


def odd_target(chance: random.Random) -> HostileRequest:
    parts = [chance.choice(PARTS) for _ in range(chance.randint(1, 5))]
    path = (
        chance.choice(PATHS).partition("?")[0] + chance.choice(["/", "", "//", "?after=", "?name="]) + "/".join(parts)
    )
    path = chance.choice([path, path, path, f"http://evil.example{path}", path.lstrip("/"), "*"])
    return HostileRequest("target", written(chance, chance.choice(METHODS[:2]), path, ["content-length: 0"]))


def odd_method(chance: random.Random) -> HostileRequest:
    return HostileRequest(
        "method", written(chance, chance.choice(METHODS), chance.choice(PATHS), ["content-length: 0"])
    )


def odd_headers(chance: random.Random) -> HostileRequest:
    headers = [chance.choice(HEADERS) for _ in range(chance.randint(1, 4))] * chance.choice([1] * 9 + [60])
    return HostileRequest(
        "headers", written(chance, chance.choice(METHODS[:2]), chance.choice(PATHS), headers), answered=False
    )


def odd_length(chance: random.Random) -> HostileRequest:
    headers = [f"content-length: {chance.choice(LENGTHS)}" for _ in range(chance.choice([1, 1, 1, 2, 3]))]
    body = chance.choice([b"", b"{}", b"[" * 5000, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n" * 3])
    headers += chance.choice([[], [], ["transfer-encoding: chunked"], ["expect: 100-continue"]])
    return HostileRequest("length", written(chance, "POST", chance.choice(PATHS), headers, body), answered=False)


def odd_chunks(chance: random.Random) -> HostileRequest:
    sizes = [
        "0",
        "-1",
        "5",
        "ffffffffffffffffffff",
        "0x5",
        "5;" + "e" * 30_000,
        "g",
        "",
        " 5",
        "00005",
        "5;a=\x00",
        "7fffffff",
    ]
    chunks = [
        f"{chance.choice(sizes)}\r\n".encode() + b"hello"[: chance.randint(0, 5)] + b"\r\n"
        for _ in range(chance.randint(1, 6))
    ]
    end = chance.choice([b"", b"0\r\n\r\n", b"0\r\n" + b"x: y\r\n" * 3000 + b"\r\n", b"0\r\nno colon\r\n\r\n"])
    content = written(chance, "POST", chance.choice(PATHS), ["transfer-encoding: chunked"], b"".join(chunks) + end)
    return HostileRequest("chunks", content, answered=False)


def odd_json(chance: random.Random) -> HostileRequest:
    depth = chance.choice([1, 10, 190, 210, 5000, 100_000])
    texts = [
        "[" * depth + "]" * depth, "[" * depth, '{"files":' * depth + "1" + "}" * depth, "9" * depth, "-" + "0" * depth, '"' * depth,
        "[" + "[]," * depth + "1]", "NaN", "1e9999", '"\\ud800"', '{"files": {"study.yaml": "\\u0000"}}', "\ufeff{}", "nul", "",
        '{"files": {"study.yaml": ' + "[" * depth + "]" * depth + "}}", '{"files": {}, "files": {}}', "\\" * depth,
    ]  # fmt: skip
    return with_body(chance, "json", chance.choice(PATHS[2:4]), chance.choice(texts).encode("utf-8", "surrogatepass"))


def odd_values(chance: random.Random) -> HostileRequest:
    sent: Any = {"files": {chance.choice(NAMES): value(chance) for _ in range(chance.choice([0, 1, 2, 40]))}}
    sent |= {
        name: value(chance)
        for name in chance.sample(["trust_config", "resume", "__class__", "x"], chance.randint(0, 2))
    }
    body = json.dumps(chance.choice([sent, sent, sent, [sent], {"files": value(chance)}, value(chance)])).encode()
    return with_body(chance, "values", chance.choice(PATHS[2:4]), body)


def value(chance: random.Random) -> Any:
    return chance.choice(
        [None, True, 0, -1, 10**30, 1.5, "", "\ud800", [], {}, [[]], STUDY % 3, chance.choice(TEXTS), {"a": [None]}]
    )


def odd_study(chance: random.Random) -> HostileRequest:
    text = STUDY % chance.randint(1, 99)
    if chance.random() < 0.7:
        at, cut = chance.randrange(len(text)), chance.randint(0, 30)
        text = text[:at] + chance.choice(TEXTS) + text[at + cut :]
    files = {"study.yaml": text}
    if chance.random() < 0.4:
        files["study.yaml"] = text.replace("mmdet::gfl/gfl_r50_fpn_1x_coco.py", "configs/0123abcd/own.py")
        files["configs/0123abcd/own.py"] = CODE
    sent = {"files": files, "trust_config": chance.random() < 0.5}
    return with_body(chance, "study", chance.choice(PATHS[2:4]), json.dumps(sent).encode())


def odd_type(chance: random.Random) -> HostileRequest:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../canary", b"x" * 1_000_000)
    form = b'--x\r\ncontent-disposition: form-data; name="files"; filename="../../canary"\r\n\r\nx\r\n--x--\r\n'
    body = chance.choice(
        [archive.getvalue(), form, b"files=study.yaml&x=%00", b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"]
    )
    return with_body(chance, "type", chance.choice(PATHS), body, chance.choice(TYPES))


def odd_query(chance: random.Random) -> HostileRequest:
    found = [
        "after=-1",
        "after=" + "9" * 400,
        "after=1e3",
        "after[]=1",
        "follow=maybe",
        "after=0&after=5",
        "=",
        "&" * 500,
        "after=%00",
        "x" * 4000,
    ]
    query = "&".join(chance.sample(found, chance.randint(1, 3)))
    return HostileRequest("query", written(chance, "GET", f"/api/events?follow=false&{query}", []))


def cut_off(chance: random.Random) -> HostileRequest:
    whole = chance.choice([odd_study, odd_values, odd_target])(chance).content
    return HostileRequest("cut off", whole[: chance.randrange(len(whole))], answered=False)


def noise(chance: random.Random) -> HostileRequest:
    found = [
        chance.randbytes(chance.randint(1, 3000)), b"\r\n" * 500, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" + chance.randbytes(500),
        b"GET /health\r\n", b"GET  /health  HTTP/1.1\r\n\r\n", b"\x00" * 1000, b"GET / HTTP/1.1\nhost: x\n\n", b"A" * 70_000,
        b"SSH-2.0-x\r\n", b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n" * 100,
    ]  # fmt: skip
    return HostileRequest("noise", chance.choice(found), answered=False)


KINDS: tuple[Callable[[random.Random], HostileRequest], ...] = (
    odd_target, odd_method, odd_headers, odd_length, odd_chunks, odd_json, odd_values, odd_study, odd_type, odd_query, cut_off, noise,
)  # fmt: skip
