"""The journal: what arrived, one JSON line each, written before the answer goes out.

requests.jsonl has a line for each request, connections.jsonl one for each accepted connection, cancelled.jsonl one
for each HTTP/2 stream that its client reset. A test may print them: keys and tokens are taken out here, wherever a
client may have put them.
"""
import base64
import json
import os
import re
import time
import urllib.parse
from pathlib import Path

SECRET_FIELDS = {"apikey", "access_token", "refresh_token", "password", "client_secret"}
OPEN_FIELDS = {"grant_type", "response_type", "scope", "client_id",
               "profile_crn", "profile_id", "profile_name", "account"}
FILES = "requests.jsonl", "connections.jsonl", "cancelled.jsonl"
JWT = re.compile(r"eyJ[A-Za-z0-9_=-]{8,}\.[A-Za-z0-9_.=%-]+")


class Journal:
    def __init__(self, folder: Path, known: dict[str, str]):
        """`known` is secret: name, for all secrets that the stand-in made itself."""
        self.names = {spelling: name for secret, name in known.items() for spelling in spellings(secret)}
        self.known = re.compile("|".join(map(re.escape, self.names)))
        self.requests, self.connections, self.resets = (
            os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            for name in FILES)

    def connection(self, listener: str, number: int) -> None:
        write(self.connections, {"time": time.time(), "listener": listener, "connection": number})

    def cancelled(self, connection: int, stream: int) -> None:
        write(self.resets, {"time": time.time(), "connection": connection, "stream": stream})

    def request(self, request, status, form={}, **found) -> None:
        """`found` is what the endpoint learned: key, caller and the ids."""
        path, _, query = request.target.partition("?")
        query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        headers = {name: value if "authorization" not in name else value.partition(" ")[0]
                   for name, value in request.headers.items()}
        length = request.headers.get("content-length")
        record = {
            "time": time.time(), "listener": request.listener, "connection": request.connection,
            "http": request.http, "stream": request.stream, "open": request.open,
            "method": request.method, "path": path, "query": shown(query), "headers": headers, "fields": shown(form),
            "content_length": int(length) if length else None, "status": status,
            "key": None, "caller": None, "correlation_id": None, "transaction_id": None,
        } | found
        write(self.requests, self.clean(record, secrets_of(request, query | form)))

    def clean(self, value, secrets):
        if isinstance(value, dict):
            return {self.clean(name, secrets): self.clean(member, secrets) for name, member in value.items()}
        if isinstance(value, str):
            value = self.known.sub(lambda match: f"[{self.names[match[0]]}]", value)
            for secret in secrets:
                value = value.replace(secret, "[secret]")
            value = JWT.sub("[token]", value)
        return value


def shown(form: dict[str, str]) -> dict:
    """Values only of fields that hold no secret; names only of fields that exist, for a key may stand anywhere."""
    return ({name: value for name, value in form.items() if name in OPEN_FIELDS}
            | {name if name in SECRET_FIELDS else "?": None for name in form if name not in OPEN_FIELDS})


def secrets_of(request, form: dict[str, str]) -> list[str]:
    """What this request itself names as secret, to be taken out of its other parts too."""
    credentials = request.headers.get("authorization", "").partition(" ")[2].strip()
    try:
        password = base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        password = ""
    secrets = [credentials, password, *(form.get(name, "") for name in SECRET_FIELDS)]
    return [spelling for secret in secrets if len(secret) >= 8 for spelling in spellings(secret)]


def spellings(secret: str) -> set[str]:
    return {secret, secret.encode().decode("latin-1"),
            urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret)}


def write(descriptor: int, record: dict) -> None:
    os.write(descriptor, json.dumps(record).encode() + b"\n")  # one write: lines of parallel threads stay whole
