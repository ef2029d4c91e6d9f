"""Stand before a server as a company's reverse proxy does: a password on every path, a path prefix, TLS."""

import http.client
import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "authorization"}


@contextmanager
def guarded(port: int, wanted: str = "", prefix: str = "", certificate: Path | None = None) -> Iterator[str]:
    """Forward requests below ``prefix`` that carry ``wanted`` as their Authorization header; yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def treat(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if wanted and self.headers.get("Authorization") != wanted:
                self.answer(401, [("WWW-Authenticate", "Basic")], b"<html>401 Authorization Required</html>")
            elif not self.path.startswith(prefix):
                self.answer(404, [], b"<html>404</html>")
            else:
                self.answer(*self.forward(body))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = treat

        def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP}
            connection.request(self.command, self.path.removeprefix(prefix), body, headers)
            reply = connection.getresponse()
            return reply.status, [pair for pair in reply.getheaders() if pair[0].lower() not in HOP], reply.read()

        def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for key, value in (*headers, ("Content-Length", str(len(content)))):
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}{prefix}"
        server.shutdown()
        thread.join()


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
