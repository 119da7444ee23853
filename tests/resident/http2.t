#!/usr/bin/python3
"""One connection for all logins: HTTP/2, when all goes well, when IAM ends it, and when it says nothing any more.

The stand-in's keys late_* answer in two halves, so that the answers of many streams are mixed on the wire.
"""
import json
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).absolute().parent.parent / folder) for folder in ("lib", "module", "resident")]
sys.dont_write_bytecode = True

import suite  # noqa: E402
from hosttest import claims  # noqa: E402
from machine import CONFIG, until  # noqa: E402
from memory import Memory, Needles  # noqa: E402
from service import ALLOWED, SOCKET, Broker, Clock, ServiceTest, adopt, authenticate, begin, drop, token  # noqa: E402
from wire import UNAVAILABLE  # noqa: E402

USUAL = [(user, f"late_{user}") for user in ("alice", "bob", "deploy")] * 6
IDLE_S = 118  # iam.c's

machine = ServiceTest.machine = begin()
iam, keys = machine.iam, machine.iam.keys


class Http2Test(ServiceTest):
    listener = "http2"

    def setUp(self):
        self.configure(self.listener)
        self.broker = Broker(machine)
        self.addCleanup(self.end)
        self.pool = ThreadPoolExecutor(64)
        self.addCleanup(self.pool.shutdown)
        self.since = len(iam.requests())

    def configure(self, listener: str, **more: str) -> None:
        machine.configure(endpoint=f'"{iam.urls[listener]}"', issuer=f'{{ "{iam.urls["good"]}/identity" }}',
                          rate_limit="0", **more)

    def login(self, user: str, key: str, budget_ms: int = 20000):
        return self.broker.ask(authenticate(user, keys[key], budget_ms=budget_ms))

    def begin(self, logins: list) -> list:
        return [(user, self.pool.submit(self.login, user, key)) for user, key in logins]

    def asked(self, since: int | None = None) -> list[dict]:
        return iam.requests(self.since if since is None else since)

    def begin_usual(self) -> list:
        """Logins that are all with IAM now, and get their answers later."""
        since = len(iam.requests())
        begun = self.begin(USUAL)
        until(lambda: len(iam.requests()) >= since + len(USUAL), "IAM has been asked")
        return begun

    def assert_own(self, begun: list) -> None:
        """Everybody is let in, and his token is his."""
        for user, future in begun:
            reply = self.assert_result(future.result(), ALLOWED)
            self.assertEqual(reply.iam_id, iam.iam_ids[user])
            self.assertEqual(claims(reply.environment["IBMIAM_TOKEN"])["iam_id"], iam.iam_ids[user])

    def cancelled(self) -> list[tuple[int, int]]:
        lines = Path(iam.ready["cancelled"]).read_text().splitlines()
        return [(line["connection"], line["stream"]) for line in map(json.loads, lines)]

    def connection(self) -> int:
        """The one that a login has now."""
        self.assert_result(self.login("alice", "alice"), ALLOWED)
        return iam.requests()[-1]["connection"]


class Proxied(Http2Test):
    """By a proxy in TLS, whose CA the configuration has."""

    def configure(self, listener: str, **more: str) -> None:
        super().configure(listener, proxy=f'"{iam.urls["tls_proxy"]}"', **more)

    def test_one_tunnel(self):
        for _ in range(3):
            self.assert_own(self.begin_usual())
        asked = {name: [r for r in self.asked() if r["listener"] == name] for name in ("http2", "tls_proxy")}
        self.assertEqual([(r["method"], r["status"]) for r in asked["tls_proxy"]], [("CONNECT", 200)])
        self.assertEqual(len(asked["http2"]), 3 * len(USUAL))


class Shared(Http2Test):
    def test_one_connection(self):
        """From the first moment on, when it is yet to be made, and for the next crowd too."""
        clients = [(user, key, self.broker.client()) for user, key in USUAL]
        self.broker.process.send_signal(signal.SIGSTOP)  # so that it finds all requests at once
        for user, key, client in clients:
            client.send(authenticate(user, keys[key]))
        self.broker.process.send_signal(signal.SIGCONT)
        self.assert_own([(user, self.pool.submit(client.receive)) for user, _, client in clients])
        self.assert_own(self.begin([("bob", "bob"), ("alice", "custom")] * 8))
        asked = self.asked()
        self.assertEqual(len(asked), len(USUAL) + 16)
        self.assertEqual({request["http"] for request in asked}, {"2"})
        self.assertEqual(len({request["connection"] for request in asked}), 1)
        self.assertEqual(len({request["stream"] for request in asked}), len(asked))
        self.assertGreaterEqual(max(request["open"] for request in asked), 4)
        for _, _, client in clients:
            client.socket.close()

    def test_a_stream_fails_alone(self):
        """One more try, on the same connection; the others do not notice."""
        usual = self.begin_usual()
        for key in "fault_abort", "fault_abort_mid_body":
            self.assert_result(self.login("alice", key), UNAVAILABLE,
                               r"stream \d+ was not closed cleanly: INTERNAL_ERROR .*\(curl 92\)")
        self.assert_result(self.login("alice", "fault_abort_once"), ALLOWED)
        self.assert_own(usual)
        asked = self.asked()
        self.assertEqual(len(asked), len(USUAL) + 6)
        self.assertEqual(len({request["connection"] for request in asked}), 1)

    def test_a_refused_stream(self):
        """By the protocol IAM has not looked at it, and libcurl tries again by itself, five times in each try."""
        usual = self.begin(USUAL)
        self.assert_result(self.login("alice", "fault_refuse"), UNAVAILABLE)
        self.assert_own(usual)
        self.assertLessEqual(len(self.asked()), len(USUAL) + 2 * 6)

    def test_a_hung_stream(self):
        """Delays nobody, neither before its deadline nor by what the broker does about it then."""
        hung = self.pool.submit(self.login, "alice", "fault_hang", 2000)
        until(self.asked, "IAM has been asked")
        self.assert_own(self.begin_usual())
        self.assertFalse(hung.done())
        usual = self.begin([("alice", "fault_slow_2")])
        self.assert_result(hung.result(), UNAVAILABLE, "in time")
        self.connection()
        self.assert_own(usual)
        self.assertEqual(len(self.asked()), 1 + len(USUAL) + 2, "each once")

    def test_whoever_leaves_is_cancelled(self):
        """sshd gives up, and so does the broker: RST_STREAM, which libcurl sends with the next request."""
        client = self.broker.client().send(authenticate("alice", keys["fault_hang"]))
        until(self.asked, "IAM has been asked")
        client.socket.close()
        self.assertEqual(self.connection(), self.asked()[0]["connection"])
        until(lambda: (self.asked()[0]["connection"], self.asked()[0]["stream"]) in self.cancelled(), "RST_STREAM")


class Ended(Http2Test):
    def test_announced_during_logins(self):
        """GOAWAY: what is under way is answered there, who comes later goes elsewhere."""
        usual = self.begin_usual()
        self.assert_result(self.login("alice", "fault_goaway"), ALLOWED)
        self.assert_own(usual)
        self.assertEqual(len(self.asked()), len(USUAL) + 1)
        self.assertNotIn(self.connection(), {request["connection"] for request in self.asked()[:len(USUAL)]})

    def test_unannounced_during_logins(self):
        """Those whose answer is lost are asked about once more."""
        for key in "fault_close_once", "fault_reset_once":
            with self.subTest(key):
                since = len(iam.requests())
                usual = self.begin_usual()
                self.assert_result(self.login("alice", key), ALLOWED)
                self.assert_own(usual)
                again = len(self.asked(since)) - len(USUAL) - 1
                self.assertTrue(1 < again <= len(USUAL) + 1, again)

    def test_whose_key_ends_connections(self):
        """Whatever it is in a key that makes IAM's edge hang up: it costs the others a try, never both."""
        for key in "fault_close_before_answer", "fault_reset_before_answer", "fault_reset_mid_body":
            with self.subTest(key):
                usual = self.begin_usual()
                self.assert_result(self.login("alice", key), UNAVAILABLE)
                self.assert_own(usual)

    def test_between_logins(self):
        for key in "fault_close_after_answer", "fault_goaway":
            with self.subTest(key):
                self.assert_result(self.login("alice", key), ALLOWED)
                ended = self.asked()[-1]["connection"]
                self.assertNotEqual(self.connection(), ended)

    def test_a_silent_one(self):
        """IAM's kernel acknowledges, and IAM says nothing any more: when one has waited in vain, nobody joins it."""
        silent = self.connection()
        first = self.pool.submit(self.login, "alice", "fault_stall", 600)  # timeout=1
        until(lambda: len(self.asked()) == 2, "IAM has been asked")
        second = self.pool.submit(self.login, "alice", "alice", 2600)
        self.assert_result(first.result(), UNAVAILABLE, "in time")
        self.assertNotEqual(self.connection(), silent)
        self.assertFalse(second.done())
        self.assert_result(second.result(), UNAVAILABLE, "in time")
        self.assertEqual(self.connection(), self.connection(), "shared again")
        self.assertNotIn(silent, {request["connection"] for request in self.asked()[2:]})


class Narrow(Http2Test):
    listener = "http2_narrow"

    def test_two_streams_a_connection(self):
        """More than IAM wants on one connection: in they get, on several."""
        self.assert_own(self.begin(USUAL + USUAL[:2]))
        self.assertEqual(max(request["open"] for request in self.asked()), 2)
        self.assertEqual(len(self.asked()), len(USUAL) + 2)


class Alike(Http2Test):
    """Whatever is wrong with an answer, it has the same result in HTTP/1.1 and in HTTP/2, and as soon."""
    TOO_LONG = {"hang", "slow_2", "slow_headers", "trickle_headers", "trickle_body", "stall"}
    ALONE = {"reset_before_answer", "reset_mid_body", "close_before_answer", "close_after_answer", "goaway",
             "huge_header"}  # the connection goes with it
    NOT_IN_HTTP_2 = {"chunked", "no_length_close"}
    SAID = {"huge_body": "over 64 KiB", "huge_header": r"\(curl \d+\)", "truncated_body": r"\(curl 92\)"}

    def test_faults(self):
        self.configure("good")
        older = machine.scratch / "http1.conf"
        older.write_bytes(CONFIG.read_bytes())
        self.configure(self.listener)
        other = Broker(machine, path=SOCKET.with_name("http1.sock"), config=older)
        self.addCleanup(other.end)
        names = {name.removeprefix("fault_") for name, key in iam.ready["keys"].items() if name.startswith("fault_")
                 and not key["behaviour"].startswith("first request") and "429" not in name}

        def both(name):
            data = authenticate("alice", keys[f"fault_{name}"], budget_ms=1000)
            begun = time.monotonic()
            replies = [future.result() for future in [self.pool.submit(b.ask, data) for b in (other, self.broker)]]
            return name, *replies, time.monotonic() - begun
        with ThreadPoolExecutor(8) as together:
            found = [*together.map(both, names - self.TOO_LONG - self.ALONE)]
            found += map(both, self.ALONE)
            found += together.map(both, self.TOO_LONG)
        for name, one, two, seconds in found:
            with self.subTest(name):
                expected = UNAVAILABLE if name in self.NOT_IN_HTTP_2 else one.result
                self.assert_result(two, expected, "in time" if name in self.TOO_LONG else self.SAID.get(name, "."))
                self.assertLess(seconds, 5)
        self.assertEqual({request["http"] for request in self.asked() if request["listener"] == self.listener}, {"2"})


class Left(Http2Test):
    """What a finished login leaves in the broker's memory."""
    def setUp(self):
        super().setUp()
        self.broker.end()
        self.clock = Clock(machine)
        self.broker = Broker(machine, wrapper=self.clock.wrapper)

    def finish(self, key: str) -> Needles:
        """A login and its session, from the beginning to the end; what to look for."""
        reply = self.login("alice", key)
        needles = Needles(key=keys[key])
        if reply.handle:
            self.assert_result(self.broker.ask(adopt(reply.handle, "alice")), ALLOWED)
            needles.add("token", self.broker.ask(token(reply.handle)).token)
            self.assert_result(self.broker.ask(drop(reply.handle)), ALLOWED)
        return needles

    def left(self, needles: Needles, ahead_s: int = 0) -> list[str]:
        self.clock.set(ahead_s, self.broker)
        return Memory(self.broker.process.pid).find(needles)

    def test_while_the_connection_lives_and_after(self):
        """Its buffers hold the last request and the last answer: the key twice, the token once. The next login
        overwrites them; and when it has been idle for so long that it would not be used again, it is closed."""
        first = self.finish("alice")
        left = self.left(first)
        for line in left:
            print(f"# the connection is open: {line}")
        self.assertEqual(sorted(line.split(",")[0] for line in left), ["key", "key", "token"])
        second = self.finish("unknown")
        self.assertEqual({line.split(",")[0] for line in self.left(second, IDLE_S - 2)}, {"key"},
                         "IAM's answer repeats it")
        first.pieces |= second.pieces
        self.assertEqual(self.left(first, IDLE_S + 2), [])

    def test_when_iam_has_closed_it(self):
        needles = self.finish("alice")
        self.assert_result(self.login("bob", "fault_close_before_answer"), UNAVAILABLE)
        self.assertEqual(self.left(needles), [])


def tearDownModule():
    machine.assert_clean()


suite.main()
