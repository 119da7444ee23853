"""The other end: nginx that gives one static answer as IAM would, so that the server is never what is measured; the
delaying proxy in front of it; and a CA that this machine (a sandbox) trusts like its others.
"""
import json
import subprocess
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives import serialization

import machine as m
from sandbox import die_with_parent
from suite import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tests/iam"))

import ca  # noqa: E402
from tokens import APIKEY, Mint  # noqa: E402

HOST = "iam.bench.example"
FOLDER, BUNDLE = Path("/etc/ssl/certs"), Path("/etc/ssl/certs/ca-certificates.crt")
IAM_ID, ACCOUNT = "IBMid-550000B3NC", "0123456789abcdef0123456789abcdef"
LIFETIME_S = 30 * 86400
CONF = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
	access_log off;
	keepalive_requests 100000000;
	keepalive_timeout 1h;
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
	server {{
		listen 127.0.0.1:{port} ssl http2 backlog=4096;
		server_name {host};
		ssl_certificate {folder}/server.pem;
		ssl_certificate_key {folder}/server.pem;
		ssl_protocols TLSv1.2 TLSv1.3;
		default_type application/json;
		location = /identity/token {{ return 200 '{answer}'; }}
	}}
}}
"""


def answer(issuer: str) -> str:
    """What IAM says to a good key, with a token that outlives any benchmark. The same length each time."""
    now = int(time.time())
    mint = Mint(issuer, LIFETIME_S)
    who = {"iam_id": IAM_ID, "sub": "alice@bench.example", "name": "A B"}
    claims = who | {"id": IAM_ID, "realmid": "IBMid", "jti": "0" * 32, "identifier": "550000B3NC", "given_name": "A",
                    "family_name": "B", "email": "alice@bench.example", "authn": who,
                    "account": {"valid": True, "bss": ACCOUNT, "frozen": True}, "iat": now, "exp": now + LIFETIME_S,
                    "iss": issuer, "grant_type": APIKEY, "scope": "ibm openid", "client_id": "default", "acr": 1,
                    "amr": ["pwd"]}
    return json.dumps({"access_token": mint.sign(json.dumps(claims, separators=(",", ":")).encode()),
                       "refresh_token": "not_supported", "ims_user_id": 118000090, "token_type": "Bearer",
                       "expires_in": LIFETIME_S, "expiration": now + LIFETIME_S, "scope": "ibm openid"},
                      separators=(",", ":"))


class Server:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755)
        m.append("/etc/hosts", f"127.0.0.1 {HOST}")
        self.certify(folder)
        self.port = m.free_port()
        m.write(folder / "nginx.conf", CONF.format(folder=folder, port=self.port, host=HOST,
                                                   answer=answer("https://iam.cloud.ibm.com/identity")), 0o600)
        self.process = subprocess.Popen(["nginx", "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"],
                                        stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        m.until((folder / "pid").exists, "nginx has started")
        self.proxy = subprocess.Popen([BUILD / "tests/bench/delay", str(self.port)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.far_port = int(self.proxy.stdout.readline())

    def certify(self, folder: Path) -> None:
        """Adds the CA to the system's own: to the folder by its hash, and to the bundle."""
        home = ca.authority("pam_ibmiam bench CA")
        pair = ca.issue(HOST, [HOST], by=home)
        ca.publish(home.certificate, folder)
        for link in (folder / "ca").iterdir():
            m.write(FOLDER / link.name, link.read_text())
        m.append(str(BUNDLE), (folder / "ca.pem").read_text())
        pem = serialization.Encoding.PEM
        key = pair.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        m.write(folder / "server.pem", "", 0o600)
        (folder / "server.pem").write_bytes(key + pair.certificate.public_bytes(pem))

    def distance(self, round_trip_ms: float) -> None:
        """From now on far_port is so far away."""
        self.proxy.stdin.write(f"{round_trip_ms}\n")
        self.proxy.stdin.flush()
        self.proxy.stdout.readline()

    def stop(self) -> None:
        self.proxy.stdin.close()
        self.proxy.wait(m.TIMEOUT_S)
        self.process.terminate()
        self.process.wait(m.TIMEOUT_S)
