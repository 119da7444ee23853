#!/usr/bin/python3
"""Hosts from hell (hell.c) and hosts at their limits (wear.c), against a fake broker that replies at once: the login
works, or fails in good order, and the host is as it was.
"""
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import driver  # noqa: E402
import wire  # noqa: E402

import suite  # noqa: E402

KEY = "a-key-that-no-fake-broker-looks-at-" + "x" * 20
GOOD = f"send {wire.reply().hex()}"
REPLIES = ("read", GOOD)
TIMEOUT_MS, LATE_MS = 1000, 1000 + 4000  # as in broker.t
LOGINS, RELOADS = 1000, 200
WEAR = ("few-descriptors", "no-processes", "little-memory", "many", "reload")  # the others are hell.c's
EXACT = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}  # what malloc keeps for later would count as in use
stage = driver.Stage()


def play(scenario: str, *arguments, script: tuple[str, ...] = REPLIES, options: str = "",
         env: dict | None = None) -> driver.Run:
    path = stage.write(f"conf/{stage.number()}.fake", "\n".join(script))
    options += " timeout=1" if "hang" in script else ""
    service = stage.pam(stage.options(path, options, broker=stage.fake))
    return stage.host("wear" if scenario in WEAR else "hell", stage.folder / "pam.d", service, stage.me.pw_name,
                      scenario, *map(str, arguments), answers=(KEY,), env=env)


def fifo() -> Path:
    path = stage.folder / f"fifo{stage.number()}"
    os.mkfifo(path)
    return stage.give(path, 0o600)


class Hell(unittest.TestCase):
    def is_clean(self, run: driver.Run, codes: list[str], **facts: int) -> None:
        self.assertEqual(run.codes, codes)
        self.assertEqual({name: int(value) for name, value in run.facts.items()}, {"children": 0} | facts)

    def is_punctual(self, run: driver.Run) -> None:
        self.assertEqual(run.codes, ["PAM_SERVICE_ERR"], run.logs)
        self.assertGreaterEqual(run.elapsed_ms[0], TIMEOUT_MS)
        self.assertLess(run.elapsed_ms[0], TIMEOUT_MS + LATE_MS)
        self.assertEqual(run.facts["children"], "0")

    # Signals

    def test_sigchld_ignored(self):
        self.is_clean(play("sigchld-ignored"), ["PAM_SUCCESS"])

    def test_sigchld_reaped_by_handler(self):
        there, reaped = fifo(), fifo()
        run = play("sigchld-reaped", there, reaped, script=("read", f"tell {there}", f"listen {reaped}", GOOD))
        self.assertEqual(run.codes, ["PAM_SUCCESS"])
        self.assertEqual(run.facts, {"SIGCHLD": "1", "own children reaped": "1", "others reaped": "0",
                                     "children": "0"})

    def test_sigpipe(self):
        for script in (("exit 0",), ("close",), ("raise 9",)):
            with self.subTest(script):
                self.is_clean(play("sigpipe", script=script), ["PAM_SERVICE_ERR"], sends=1)

    def test_signals_each_millisecond(self):
        run = play("timer", script=("read", "nap 100", GOOD))
        self.assertEqual((run.codes, run.facts["children"]), (["PAM_SUCCESS"], "0"))
        self.assertGreater(int(run.facts["ticks"]), 10)

    def test_signals_each_millisecond_until_the_deadline(self):
        run = play("timer", script=("read", "hang"))
        self.is_punctual(run)
        self.assertGreater(int(run.facts["ticks"]), 100)

    def test_all_signals_blocked(self):
        self.is_clean(play("blocked"), ["PAM_SUCCESS"])
        self.is_punctual(play("blocked", script=("read", "hang")))

    # Threads

    def test_busy_threads(self):
        run = play("threads")
        self.is_clean(run, ["PAM_SUCCESS"] * len(run.codes), forked=1, allocated=1, **{"own children lost": 0})

    def test_forked_copy_of_the_socket(self):
        there = fifo()
        self.is_punctual(play("forked-copy", there, script=("read", f"tell {there}", "hang")))

    # Descriptors

    def test_closed_stdio(self):
        record = stage.folder / "record"
        run = play("closed-stdio", script=("read", f"record {record}", GOOD))
        self.assertEqual((run.codes, run.facts), (["PAM_SUCCESS"] * 7, {"opened": "0"}))
        found = dict(line.split(":\t", 1) for line in record.read_text().splitlines())
        self.assertEqual([found[f"fd{n}"].split(":")[0] for n in range(3)], ["socket", "/dev/null", "/dev/null"])

    def test_no_descriptors(self):
        for free, code, reason in ((0, "PAM_SERVICE_ERR", "^broker-error .*Too many open files"),
                                   (1, "PAM_SERVICE_ERR", "^broker-error .*Too many open files"),
                                   (2, "PAM_SUCCESS", "^allowed"), (3, "PAM_SUCCESS", "^allowed")):
            with self.subTest(free):
                run = play("few-descriptors", free)
                self.assertRegex(run.logs[0].text, reason)
                # Without any, libpam cannot reach the audit system either, and may say so instead.
                self.is_clean(run, ["PAM_SYSTEM_ERR"] if free == 0 and "PAM_SYSTEM_ERR" in run.codes else [code])

    # Processes and memory

    def test_no_processes(self):
        run = play("no-processes")
        self.is_clean(run, ["PAM_SERVICE_ERR"])
        self.assertRegex(run.logs[0].text, "cannot start the broker .*: Resource temporarily unavailable")

    def test_little_memory(self):
        run = play("little-memory")
        self.assertGreater(len(run.codes), 3)
        self.is_clean(run, ["PAM_SERVICE_ERR"] * (len(run.codes) - 1) + ["PAM_SUCCESS"])
        self.assertEqual([log.priority for log in run.logs], ["err"] * (len(run.codes) - 1) + ["info"])

    # The way of the request

    def test_stopped_host(self):
        """Else whoever starts su could stop it at the right moment, and make an outage of it."""
        self.is_clean(play("stopped", TIMEOUT_MS + 200, options="timeout=1"), ["PAM_SUCCESS"], sends=1)

    def test_stopped_keeper(self):
        """Likewise, for the keeper: the login ends in time, and does not wait for it."""
        run = play("stopped-keeper", options="timeout=1")
        self.is_punctual(run)
        self.assertEqual(run.facts["stopped"], "1")

    def test_request_that_cannot_be_sent(self):
        run = play("send-fails", options="timeout=3")
        self.is_clean(run, ["PAM_SERVICE_ERR"], sends=1)
        self.assertRegex(run.logs[0].text, "^broker-error .*No buffer space")

    # Repetition

    def flat(self, handles: int, each: int, *, failed: int = 0, script: tuple[str, ...] = REPLIES) -> None:
        run = play("many", handles, each, script=script, env=EXACT)
        grown = {name: int(value) for name, value in run.facts.items()}
        self.assertLess(grown.pop("resident KiB"), 256)  # pages come and go
        self.assertEqual(grown, {"failed": failed, "descriptors": 0, "children": 0, "maps": 0, "heap bytes": 0})

    def test_many_logins(self):
        self.flat(LOGINS, 1)

    def test_many_logins_on_few_handles(self):
        self.flat(5, 200)

    def test_many_refusals(self):
        self.flat(5, 200, failed=1000, script=("read", f"send {wire.refusal(wire.DENIED).hex()}"))

    def test_many_failures(self):
        self.flat(5, 200, failed=1000, script=("exit 1",))

    def test_reload(self):
        self.is_clean(play("reload", RELOADS, stage.module), [], failed=0, mapped=0, **{"still loaded": 0})

    # Everything at once

    def test_untidy_host_stays_as_it_was(self):
        run = play("untidy")
        self.assertEqual((run.codes, run.facts["changed"]), (["PAM_SUCCESS", "PAM_SUCCESS"], ""))


suite.main()
