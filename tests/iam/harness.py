"""What standin.t stands on: a running stand-in, the ways to talk to it, and a TAP runner of twenty lines."""
import base64
import contextlib
import http.client
import json
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

PROGRAM = Path(__file__).absolute().parent / "standin"
APIKEY, ASSUME = (f"urn:ibm:params:oauth:grant-type:{grant}" for grant in ("apikey", "assume"))
FORM = "application/x-www-form-urlencoded"
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def is_(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}\n     got: {got!r}\nexpected: {expected!r}")


# A running stand-in and the ways to talk to it

class StandIn:
    def __init__(self, folder, *options, stdin=subprocess.PIPE, stderr=None):
        self.process = subprocess.Popen([PROGRAM, "--dir", folder, *options], stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=stderr, text=True)
        self.ready_path = self.process.stdout.readline().rstrip("\n")
        self.ready = json.loads(Path(self.ready_path).read_text())
        self.tls = ssl.create_default_context(cafile=self.ready["ca_file"])
        self.keys = {name: key["key"] for name, key in self.ready["keys"].items()}

    def connect(self, listener="good", tls=None):
        url = urllib.parse.urlsplit(self.ready["urls"][listener])
        if url.scheme == "http":
            return http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        return http.client.HTTPSConnection(url.hostname, url.port, timeout=10, context=tls or self.tls)

    def call(self, method, path, body=None, headers={}, on=None):
        with contextlib.closing(self.connect()) if on is None else contextlib.nullcontext(on) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            response.text = response.read()
            return response

    def token(self, form, headers={}, on=None):
        body = form if isinstance(form, bytes) else urllib.parse.urlencode(form).encode()
        response = self.call("POST", "/identity/token", body, {"Content-Type": FORM} | headers, on)
        is_media = response.headers.get_content_type() == "application/json"
        response.json = json.loads(response.text) if is_media and response.text else None
        return response

    def login(self, name, headers={}, on=None, **more):
        return self.token(form_of(self.keys[name], **more), headers, on)

    def claims(self, *arguments, **more):
        response = self.login(*arguments, **more)
        is_(response.status, 200, response.text)
        return claims_of(response.json["access_token"])

    def member(self, group, name, caller):
        token = self.login(caller).json["access_token"]
        iam_id = self.ready["keys"][name]["iam_id"]
        return self.call("HEAD", f"/v2/groups/{self.ready['groups'][group]['id']}/members/{iam_id}",
                         headers={"Authorization": f"Bearer {token}"}).status

    def curl(self, key, listener="good", *options):
        """Exit status and HTTP status, as curl sees the answer to that key."""
        done = subprocess.run(
            ["curl", "-q", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--capath", self.ready["ca_path"],
             "-m", "5", *options, self.ready["urls"][listener] + "/identity/token",
             "-d", f"grant_type={APIKEY}", "-d", "response_type=cloud_iam", "--data-urlencode", "apikey@-"],
            input=self.keys[key], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
        return done.returncode, int(done.stdout)

    def journal(self, name="journal"):
        return [json.loads(line) for line in Path(self.ready[name]).read_text().splitlines()]

    def end(self):
        self.process.stdin and self.process.stdin.close()
        self.process.terminate()
        self.process.stdout.close()
        return self.process.wait(10)


@contextlib.contextmanager
def another(*options, **more):
    with tempfile.TemporaryDirectory(prefix="standin-t-") as folder:
        standin = StandIn(folder, *options, **more)
        try:
            yield standin
        finally:
            standin.end()


def form_of(key, **more):
    return {"grant_type": APIKEY, "apikey": key, "response_type": "cloud_iam"} | more


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token):
    return json.loads(unb64(token.split(".")[1]))


def run():
    def too_long(*_):
        raise TimeoutError("a test hangs")
    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # clean up when prove gives up
    signal.alarm(120)
    failed = 0
    print(f"1..{len(TESTS)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="standin-t-") as scratch:
        errors = Path(scratch) / "stderr"
        with open(errors, "w") as stderr, another(stderr=stderr) as standin:
            standin.errors = errors
            for number, function in enumerate(TESTS, 1):
                name = function.__name__.replace("_", " ")
                try:
                    function(standin)
                    print(f"ok {number} - {name}", flush=True)
                except Exception as wrong:
                    failed += 1
                    print(f"not ok {number} - {name}", flush=True)
                    for line in f"{type(wrong).__name__}: {wrong}".splitlines():
                        print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)
