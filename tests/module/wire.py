"""The protocol's messages, made byte by byte and without the sources' help, so that they can also be wrong."""
import struct

VERSION, MESSAGE_MAX = 1, 64 * 1024
REQUEST, REPLY, STASH, HELLO, ADOPT, DROP = range(1, 7)
ALLOWED, KEY_REJECTED, DENIED, USER_UNKNOWN, THROTTLED, UNAVAILABLE, CONFIG_ERROR, BROKER_ERROR, NO_SESSION = range(9)
ACCOUNT = "0123456789abcdef0123456789abcdef"


def field(tag: int, value: bytes, length: int | None = None) -> bytes:
    """`length` is what the field says of itself where that is a lie."""
    return struct.pack(">BH", tag, len(value) if length is None else length) + value


def u32(value: int) -> bytes:
    return struct.pack(">I", value)


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def listed(*values: str) -> bytes:
    return b"".join(map(text, values))


def reply_fields(result: int = ALLOWED, reason: str = "so the fake broker says", iam_id: str | None = "IBMid-1",
                 account: str | None = ACCOUNT, environment: tuple[str, ...] = ("A=1", "B=two words"),
                 export_to: int = 0, session: str | None = None) -> dict[str, bytes]:
    """The fields of a reply by name. The last one is required, so no message that is cut off can be whole."""
    found = {
        "iam_id": iam_id and field(3, text(iam_id)),
        "account": account and field(4, text(account)),
        "environment": environment and field(10, listed(*environment)),
        "session": session and field(12, text(session)),
        "result": field(1, u32(result)),
        "reason": field(2, text(reason)),
        "http_status": field(8, u32(200)),
        "export_to": field(9, u32(export_to)),
    }
    return {name: value for name, value in found.items() if value}


def message(fields: dict[str, bytes], version: int = VERSION, kind: int = REPLY) -> bytes:
    return bytes([version, kind]) + b"".join(fields.values())


def reply(**parts) -> bytes:
    return message(reply_fields(**parts))


def refusal(result: int, **parts) -> bytes:
    return reply(**{"result": result, "iam_id": None, "account": None, "environment": ()} | parts)


def reply_of_length(length: int) -> bytes:
    """A good reply of exactly that many bytes."""
    start = reply(environment=("FILL=",))
    return reply(environment=("FILL=" + "x" * (length - len(start)),))


def stash(user: str, environment: tuple[str, ...], export_to: int = 0, session: str | None = None) -> bytes:
    return message({"user": field(1, text(user)), "export_to": field(2, u32(export_to)),
                    "environment": field(3, listed(*environment)),
                    **({"session": field(4, text(session))} if session else {})}, kind=STASH)


def hello(program: str = "1.0", version: int = VERSION) -> bytes:
    return message({"version": field(1, text(program))}, version, HELLO)


def fields(received: bytes) -> dict[int, bytes]:
    """The fields of a good message, by tag."""
    found, rest = {}, received[2:]
    while rest:
        tag, length = struct.unpack_from(">BH", rest)
        assert tag not in found and len(rest) >= 3 + length
        found[tag], rest = rest[3:3 + length], rest[3 + length:]
    return found
