"""Stand before a server as a company's proxies do: a password on every path, a path prefix, TLS, replies of their own."""

import http.client
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Reply = tuple[int, list[tuple[str, str]], bytes]
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "authorization"}


@contextmanager
def guarded(
    port: int,
    wanted: str = "",
    prefix: str = "",
    certificate: Path | None = None,
    *,
    clients: Path | None = None,
    instead: Callable[[str, str], Reply | None] = lambda method, path: None,
) -> Iterator[str]:
    """Forward requests below ``prefix`` that carry ``wanted`` as their Authorization header; yield the address.

    Also serves as the proxy of ``HTTP_PROXY``: then the server sees the host that the client named. With ``clients``
    the client needs a certificate that this file vouches for. A reply of ``instead``, by method and path, is given first.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def treat(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = instead(self.command, self.path) or self.refusal()
            self.answer(*(reply or self.forward(body)))

        do_CONNECT = treat
        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = treat

        def refusal(self) -> Reply | None:
            if wanted and self.headers.get("Authorization") != wanted:
                return 401, [("WWW-Authenticate", "Basic")], b"<html>401 Authorization Required</html>"
            return None if self.path.startswith(("http:", prefix)) else (404, [], b"<html>404</html>")

        def forward(self, body: bytes) -> Reply:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP}
            target = urlsplit(self.path.removeprefix(prefix))
            if target.netloc:
                headers["Host"] = target.netloc
            connection.request(self.command, target._replace(scheme="", netloc="").geturl(), body, headers)
            reply = connection.getresponse()
            return reply.status, [pair for pair in reply.getheaders() if pair[0].lower() not in HOP], reply.read()

        def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for key, value in (*headers, ("Content-Length", str(len(content)))):
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = self.command == "CONNECT"

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            _speak_tls(server, certificate, clients)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}{prefix}"
        server.shutdown()
        thread.join()


def _speak_tls(server: http.server.HTTPServer, certificate: Path, clients: Path | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # later, the refusal races with the end of the connection
    server.socket = context.wrap_socket(server.socket, server_side=True)


def self_signed(path: Path) -> Path:
    """Write a certificate for loopback that nobody vouches for, with its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
