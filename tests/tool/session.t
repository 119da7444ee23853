#!/usr/bin/python3
"""ibmiam token, exec, env, status and logout, against a broker that says whatever it may say."""
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parent))
sys.dont_write_bytecode = True

import fake  # noqa: E402
import suite  # noqa: E402
import wire  # noqa: E402
from fake import TIMEOUT_S, Broker, allowed, handle, made_up  # noqa: E402

OK, UNEXPECTED, USAGE, NO_SESSION, NO_BROKER, ENDED, LATER = range(7)
NOT_EXECUTABLE, NOT_FOUND = 126, 127
COMMANDS = {"token": ["token"], "bearer": ["token", "--bearer"], "json": ["token", "--json"], "env": ["env"],
            "exec": ["exec", "--", "echo", "ran"], "status": ["status"], "status --json": ["status", "--json"],
            "logout": ["logout"]}
ASKING_FOR_A_TOKEN = [name for name in COMMANDS if name != "logout"]
REASON = "a reason of the broker's"
HOSTILE = ["", " ", "two  words", "it's", "''", "'; echo ran >&2; '", "$(echo ran >&2)", "`echo ran >&2`", "$HOME",
           "\\", "\\'", '"', "a\nb", "a\n\nexport X=1\n", "-n", "!!", "*", "~", "\t", "\x1b[31m", "é", "#", "x" * 3000]


def good(**parts) -> bytes:
    now = int(time.time())
    return allowed(**({"token": made_up(), "expiration": now + 3000, "renewal": now + 2280} | parts))


class SessionTest(unittest.TestCase):
    maxDiff = None

    def assert_ended(self, done: subprocess.CompletedProcess, status: int, said: str) -> None:
        """With this exit code, nothing on stdout, and one line on stderr that holds this."""
        self.assertEqual((done.returncode, done.stdout), (status, b""), done.stderr)
        self.assertRegex(done.stderr.decode(), rf"\Aibmiam: [^\n]*{said}[^\n]*\n\Z")


class Outcomes(SessionTest):
    def test_refusals(self):
        """What the broker says, the exit code, what the user reads; the reason is shown, as it is his session."""
        login = "ibmiam login"
        table = [("key rejected", wire.refusal(wire.KEY_REJECTED, reason=REASON), ENDED, f"{REASON}.*{login}"),
                 ("denied", wire.refusal(wire.DENIED, reason=REASON), ENDED, f"no longer allowed.*{REASON}.*{login}"),
                 ("user unknown", wire.refusal(wire.USER_UNKNOWN), ENDED, "no longer has a rule.*administrator"),
                 ("throttled", wire.refusal(wire.THROTTLED), LATER, "too many.*wait"),
                 ("unavailable", wire.refusal(wire.UNAVAILABLE), LATER, "cannot be reached.*no valid token.*try again"),
                 ("config error", wire.refusal(wire.CONFIG_ERROR), UNEXPECTED, "configuration.*administrator"),
                 ("broker error", wire.refusal(wire.BROKER_ERROR), UNEXPECTED, "broker.*administrator"),
                 ("no session", wire.refusal(fake.NO_SESSION), NO_SESSION, f"no credential.*{login}"),
                 ("no reply", b"", UNEXPECTED, "ended without a reply"),
                 ("garbage", b"\1\2garbage", UNEXPECTED, "breaks the protocol"),
                 ("another type", fake.AGREE, UNEXPECTED, "breaks the protocol"),
                 ("an unknown result", wire.refusal(99), UNEXPECTED, "breaks the protocol")]
        for what, answer, status, said in table:
            with Broker(answer) as broker:
                for name, arguments in COMMANDS.items():
                    if name == "logout":
                        said = said.replace(REASON, "")
                    with self.subTest(what, command=name):
                        self.assert_ended(broker.run(*arguments, session=handle()), status, said)

    def test_useless_tokens(self):
        """A yes that this command must not pass on."""
        table = [("no token", allowed(expiration=2000000000)), ("no expiration", allowed(token=made_up())),
                 ("a header in the token", good(token=made_up() + "\r\nX-Evil: 1")),
                 ("a space in the token", good(token="a b")), ("a quote in the token", good(token="a'b"))]
        for what, answer in table:
            with Broker(answer) as broker:
                for name in ASKING_FOR_A_TOKEN:
                    with self.subTest(what, command=name):
                        self.assert_ended(broker.run(*COMMANDS[name], session=handle()), UNEXPECTED, "protocol")

    def test_no_session(self):
        with Broker(good()) as broker:
            for name, arguments in COMMANDS.items():
                for what, value in [("unset", None), ("empty", "")]:
                    with self.subTest(what, command=name):
                        self.assert_ended(broker.run(*arguments, session=value), NO_SESSION,
                                          r'not set; log in .* run: eval "\$\(ibmiam login\)"')
                for value in ["0" * 31, "0" * 33, "A" * 32, "g" * 32, "0" * 31 + "\n", " " + "0" * 32]:
                    with self.subTest("malformed", command=name, value=value):
                        done = broker.run(*arguments, session=value)
                        self.assert_ended(done, NO_SESSION, r'32 lower-case hex.* run: eval "\$\(ibmiam login\)"')
                        self.assertNotIn(value.encode(), done.stderr)
            self.assertEqual(broker.requests, [])

    def test_no_broker(self):
        with Broker(good()) as broker:
            stale = Path(broker.folder.name, "stale.sock")
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(str(stale))
            os.chmod(stale, 0o666)
            table = [("nothing", "/nonexistent/socket", "No such file"), ("nobody listens", str(stale), "refused"),
                     ("a file", "/etc/passwd", "."), ("too long a path", "/" + "x" * 200, "too long")]
            for name, arguments in COMMANDS.items():
                for what, path, said in table:
                    with self.subTest(what, command=name):
                        done = broker.run(arguments[0], "--socket", path, *arguments[1:], session=handle())
                        self.assert_ended(done, NO_BROKER, f"no broker listens at {re.escape(path)}.*{said}")

    def test_untrusted_brokers(self):
        tables = {"of another version": (b"\2\4" + fake.AGREE[2:], NO_BROKER, "version"),
                  "that says nothing": (None, LATER, "does not greet in time; try again"),
                  "that ends": (b"", LATER, "no room for another request just now, or ends; try again"),
                  "that says too much": (fake.AGREE + b"x", NO_BROKER, "version")}
        for what, (hello, status, said) in tables.items():
            with self.subTest(what), Broker(good(), hello=hello) as broker:
                self.assert_ended(broker.run("token", "--timeout", "1", session=handle()), status, said)
                self.assertEqual(broker.run("login", "--timeout", "1", stdin=b"k" * 40).returncode, status)
                self.assertNotIn(fake.AUTHENTICATE, [r.kind for r in broker.requests])  # it holds the key

    def test_a_broker_that_has_no_room_is_asked_again(self):
        """It ends the first three connections, as it does when a user has too many; then it has the time that is left."""
        turned_away = iter(range(3))
        with Broker(good(), hello=lambda: b"" if next(turned_away, None) is not None else fake.AGREE) as broker:
            self.assertEqual(broker.run("token", session=handle()).returncode, OK)
            self.assertEqual([request.kind for request in broker.requests][-1], fake.TOKEN)
            self.assertLessEqual(broker.requests[-1].number(2), 29000 - 3 * 50)
            self.assertIsNone(next(turned_away, None))

    def test_a_broker_of_another_user_is_not_asked(self):
        if os.geteuid() != 0:
            self.skipTest("needs a second user")
        os.seteuid(1)
        try:
            broker = Broker(good())
        finally:
            os.seteuid(0)
        with broker:
            self.assert_ended(broker.run("token", session=handle()), NO_BROKER, "not root")
            self.assertEqual(broker.requests, [])

    def test_a_broker_that_hangs(self):
        with Broker(None) as broker:
            for name, arguments in COMMANDS.items():
                with self.subTest(command=name):
                    start = time.monotonic()
                    done = broker.run(arguments[0], "--timeout", "1", *arguments[1:], session=handle())
                    self.assertLess(time.monotonic() - start, 10)
                    self.assert_ended(done, UNEXPECTED, "did not answer in time")

    def test_the_request(self):
        with Broker(good()) as broker:
            mine = handle()
            broker.run("token", "--timeout", "20", session=mine)
            broker.run("logout", session=mine)
        token, drop = broker.requests
        self.assertEqual((token.kind, token.text(1)), (fake.TOKEN, mine))
        self.assertTrue(10000 < token.number(2) < 20000)
        self.assertEqual((drop.kind, drop.text(1), list(drop.fields)), (fake.DROP, mine, [1]))

    def test_usage(self):
        secret = made_up()
        with Broker(good()) as broker:
            for arguments in [[], ["nonsense"], [secret], ["token", "--nonsense"], ["token", "-x"], ["token", "x"],
                              ["token", "--bearer", "--json"], ["exec"], ["exec", "--"], ["env", "--json"],
                              ["login", secret], ["login", f"--key={secret}"], ["help", "nonsense"],
                              ["--socket", "relative", "token"], ["token", "--timeout"],
                              *(["token", "--timeout", value] for value in ("0", "61", "-1", "1.5", "", "9" * 30))]:
                with self.subTest(arguments=[word.replace(secret, "SECRET") for word in arguments]):
                    done = broker.run(*arguments, session=handle())
                    self.assert_ended(done, USAGE, ".")
                    self.assertNotIn(secret.encode(), done.stderr)
            self.assertEqual(broker.requests, [])

    def test_a_word_that_is_no_command(self):
        """It is repeated, unless it may be a key, and the nearest command is named, if one is near."""
        with Broker() as broker:
            for word, near in (("tokn", "token"), ("tokenn", "token"), ("statsu", "status"), ("evn", "env"), ("lgoin", "login"),
                               ("xyz", ""), ("a", ""), ("", ""), ("nonsense", "")):
                for arguments in ([word], ["help", word]):
                    with self.subTest(arguments=arguments):
                        said = broker.run(*arguments).stderr.decode()
                        self.assertIn(f'there is no command "{word}"', said)
                        self.assertEqual(re.findall(r"perhaps you mean: ibmiam (\w+)", said), [near] if near else [])
            for word in ("token\033[2J", "x" * 17, "Secret12"):
                with self.subTest(word=word):
                    self.assertEqual(broker.run(word).stderr, b"ibmiam: there is no such command; see: ibmiam help\n")
            self.assertEqual(broker.run("token", "--json=1").stderr.decode(),
                             "ibmiam: --json takes no value; see: ibmiam token --help\n")


class Token(SessionTest):
    def test_forms(self):
        token, expiration = made_up(1500), int(time.time()) + 1234
        with Broker(good(token=token, expiration=expiration)) as broker:
            def printed(*arguments: str) -> str:
                done = broker.run("token", *arguments, session=handle())
                self.assertEqual((done.returncode, done.stderr), (OK, b""))
                return done.stdout.decode()
            self.assertEqual(printed(), token + "\n")
            self.assertEqual(printed("--bearer"), f"Bearer {token}\n")
            said = json.loads(printed("--json"))
            self.assertTrue(1200 < said.pop("expires_in") <= 1234)
            self.assertEqual(said, {"access_token": token, "token_type": "Bearer", "expiration": expiration})

    def test_an_expired_token_has_no_time_left(self):
        with Broker(good(expiration=int(time.time()) - 100)) as broker:
            said = json.loads(broker.run("token", "--json", session=handle()).stdout)
            self.assertEqual(said["expires_in"], 0)

    def test_the_environment_chooses_no_broker(self):
        with Broker(good()) as broker:
            done = subprocess.run([broker.tool, "token"], capture_output=True, timeout=TIMEOUT_S, **fake.AS_NOBODY,
                                  env=fake.environment(handle()) | {"IBMIAM_SOCKET": broker.path,
                                                                    "CLIENT_SOCKET": broker.path})
            self.assertEqual(broker.requests, [], done.stderr)


class Writing(SessionTest):
    """An output that does not arrive is an error, for every command that has one."""
    PRINTING = [name for name in COMMANDS if name not in ("exec", "logout")]

    def check(self, what: str, said: str, **more) -> None:
        with Broker(good()) as broker:
            for name in self.PRINTING:
                with self.subTest(what, command=name):
                    done = broker.run(*COMMANDS[name], session=handle(), **more)
                    self.assertEqual(done.returncode, UNEXPECTED)
                    self.assertRegex(done.stderr.decode(), f"^ibmiam: cannot write to standard output: {said}")

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            self.check("a full disk", "No space", stdout=full)

    def test_closed_pipe(self):
        reader, writer = os.pipe()
        os.close(reader)
        self.check("a closed pipe", "Broken pipe", stdout=writer)
        os.close(writer)

    def test_a_message_that_nobody_reads(self):
        """The command runs all the same, and with SIGPIPE as it was."""
        reader, writer = os.pipe()
        os.close(reader)
        with Broker(good(environment=())) as broker:
            for script, status in ("exit 7", 7), ("kill -PIPE $$", -signal.SIGPIPE):
                with self.subTest(script):
                    done = broker.run("exec", "--", "sh", "-c", script, session=handle(), stderr=writer)
                    self.assertEqual(done.returncode, status)
        os.close(writer)

    def test_closed_output(self):
        with Broker(good()) as broker:
            for name in self.PRINTING:
                with self.subTest("closed", command=name):
                    done = broker.run(*COMMANDS[name], session=handle(), preexec_fn=lambda: os.close(1))
                    self.assertEqual(done.returncode, UNEXPECTED)
                    self.assertRegex(done.stderr.decode(), "cannot write to standard output: Bad file")

    def test_all_closed(self):
        with Broker(good()) as broker:
            done = broker.run("token", session=handle(), preexec_fn=lambda: os.closerange(0, 3))
            self.assertEqual(done.returncode, UNEXPECTED)


class Environment(SessionTest):
    def variables(self) -> dict[str, str]:
        return {f"V{number}_": value for number, value in enumerate(HOSTILE)}

    def test_env_is_safe_to_eval(self):
        """In real shells, and nothing happens but that the variables have these values."""
        variables = self.variables() | {"a1": "=", "IC_IAM_TOKEN": "Bearer " + made_up()}
        shells_own = {"PATH", "TZ", "IBMIAM_SESSION", "PWD", "OLDPWD", "SHLVL", "_", "HOME", "LOGNAME"}
        reply = good(environment=tuple(f"{name}={value}" for name, value in variables.items()))
        with Broker(reply) as broker:
            for shell in ("sh", "bash", "zsh"):
                script = 'eval "$("$@")" && env -0'
                done = subprocess.run([shell, "-c", script, shell, *broker.command("env")], capture_output=True,
                                      env=fake.environment(handle()), timeout=TIMEOUT_S, cwd="/", **fake.AS_NOBODY)
                with self.subTest(shell):
                    self.assertEqual(done.stderr, b"")
                    seen = dict(entry.decode().split("=", 1) for entry in done.stdout.split(b"\0") if entry)
                    self.assertEqual({name: seen.get(name) for name in variables}, variables)
                    self.assertEqual(set(seen) - set(variables) - shells_own, set())

    def test_names_that_are_none(self):
        for name in ["", "1A", "A B", "A;touch x", "A\nB", "é", "A-B", "A$(x)"]:
            reply = good(environment=("FIRST=1", f"{name}=x"))
            with Broker(reply) as broker:
                for command in ("env", "exec"):
                    with self.subTest(command=command, name=name):
                        self.assert_ended(broker.run(*COMMANDS[command], session=handle()), UNEXPECTED, "NAME=value")
        with Broker(good(environment=("FIRST=1", "NO_EQUALS"))) as broker:
            self.assert_ended(broker.run("env", session=handle()), UNEXPECTED, "NAME=value")

    def test_no_variables(self):
        with Broker(good(environment=())) as broker:
            done = broker.run("env", session=handle())
            self.assertEqual((done.returncode, done.stdout), (OK, b""))
            self.assertRegex(done.stderr.decode(), "^ibmiam: note: .*no variables")

    def test_a_reply_full_of_quotes(self):
        value = "'" * 60000
        with Broker(good(environment=(f"Q={value}",))) as broker:
            done = broker.run("env", session=handle())
            self.assertEqual(done.stdout.decode(), "export Q='" + "'\\''" * 60000 + "'\n")

    def test_exec_sets_exactly_these(self):
        variables = self.variables() | {"PATH": "/bin:/usr/bin", "OWN": "new"}
        reply = good(environment=tuple(f"{name}={value}" for name, value in variables.items()))
        mine = handle()
        with Broker(reply) as broker:
            done = broker.run("exec", "--", "env", "-0", session=mine, env={"OWN": "old", "KEPT": "1"})
            seen = dict(entry.decode().split("=", 1) for entry in done.stdout.split(b"\0") if entry)
            self.assertEqual(seen, {"TZ": "UTC", "IBMIAM_SESSION": mine, "KEPT": "1"} | variables)
            self.assertEqual((done.returncode, done.stderr), (OK, b""))

    def test_exec_passes_on_the_rest(self):
        """Arguments, standard input, exit codes and signals are the command's own."""
        with Broker(good()) as broker:
            def run(*words: str, **more):
                return broker.run("exec", *words, session=handle(), **more)
            self.assertEqual(run("printf", "<%s>", "a b", "--json", "", "--").stdout, b"<a b><--json><><-->")
            self.assertEqual(run("--timeout", "9", "--", "printf", "%s", "--").stdout, b"--")
            self.assertEqual(run("--", "cat", stdin=b"in").stdout, b"in")
            self.assertEqual(run("--", "sh", "-c", "exit 42").returncode, 42)
            self.assertEqual(run("--", "sh", "-c", "kill -TERM $$").returncode, -signal.SIGTERM)

    def test_exec_leaves_the_process_as_it_was(self):
        """The limit of core dumps, the signals, and no descriptor more."""
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        wanted = (4096 if hard in (-1, resource.RLIM_INFINITY) or hard > 4096 else hard, hard)
        script = "ulimit -c; grep -E '^Sig(Pnd|Blk|Ign|Cgt)' /proc/self/status; ls /proc/self/fd | wc -l"
        if "-fsanitize" in (suite.BUILD / "flags").read_text():
            script = script.replace("ulimit -c; ", "")  # which AddressSanitizer sets to 0

        def limits():
            resource.setrlimit(resource.RLIMIT_CORE, wanted)
        with Broker(good()) as broker:
            through = broker.run("exec", "--", "sh", "-c", script, session=handle(), preexec_fn=limits)
            direct = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, input=b"",
                                    env=fake.environment(None), cwd="/", preexec_fn=limits, **fake.AS_NOBODY)
            self.assertEqual(through.stdout, direct.stdout)

    def test_exec_of_what_cannot_be(self):
        with Broker(good()) as broker:
            for word, status in [("/nonexistent", NOT_FOUND), ("no-such-command", NOT_FOUND), ("", NOT_FOUND),
                                 ("/etc/passwd/x", NOT_FOUND), ("/etc/passwd", NOT_EXECUTABLE), ("/", NOT_EXECUTABLE)]:
                with self.subTest(word):
                    self.assert_ended(broker.run("exec", "--", word, session=handle()), status, "cannot execute")


class Status(SessionTest):
    def status(self, *arguments: str, session: str | None = None, **parts) -> str:
        with Broker(good(**parts)) as broker:
            done = broker.run("status", *arguments, session=session or handle())
            self.assertEqual((done.returncode, done.stderr), (OK, b""))
            return done.stdout.decode()

    def test_words(self):
        mine, now = handle(), int(time.time())
        now -= now % 60
        told = self.status(session=mine, name="Jürgen Ä", profile="Profile-1", expiration=now + 3000 + 90,
                           renewal=now + 2370, note="a note")
        at = time.strftime("%Y-%m-%d %H:%M:%S +0000", time.gmtime(now + 3090))
        renewed = time.strftime("%H:%M:%S", time.gmtime(now + 2370))
        self.assertRegex(told, "\\A" + "\n".join([
            "name     Jürgen Ä", f"iam_id   {fake.IAM_ID}", f"account  {fake.ACCOUNT}", "profile  Profile-1",
            rf"token    expires in 5[01] minutes, at {re.escape(at)}; renewed when asked for after {renewed}",
            rf"session  {mine[:8]}\.\.\.", "note     a note", ""]) + "\\Z")
        self.assertNotIn(mine, told)

    def test_spans(self):
        for seconds, words in [(7300, "2 hours"), (3700, "1 hour"), (3500, "58 minutes"), (100, "1 minute"),
                               (50, r"\d\d seconds")]:
            with self.subTest(words):
                self.assertRegex(self.status(expiration=int(time.time()) + seconds), f"expires in {words},")
        self.assertRegex(self.status(expiration=int(time.time()) - 5, renewal=0), "token    has expired, at 20")

    def test_nothing_reaches_the_terminal(self):
        told = self.status(name="a\x1b[31mb\x07\u009bc\u202ed\u200be\nf")
        self.assertIn("name     a?[31mb??c?d?e?f\n", told)

    def test_json(self):
        name = 'a"b\\c\x1b\n\x7fé\U0001f511\u2028'
        told = json.loads(self.status("--json", name=name, expiration=2000000000, renewal=1999990000))
        self.assertGreater(told.pop("expires_in"), 0)
        self.assertEqual(told, {"name": name, "iam_id": fake.IAM_ID, "account": fake.ACCOUNT, "profile": None,
                                "note": None, "renewal": 1999990000, "expiration": 2000000000})

    def test_json_of_what_is_not_utf8(self):
        raw = good(name="NAME").replace(b"NAME", b"\xff\xc3(\xed")
        with Broker(raw) as broker:
            told = json.loads(broker.run("status", "--json", session=handle()).stdout.decode())
            self.assertEqual(told["name"], "\ufffd\ufffd(\ufffd")

    def test_a_reason_cannot_forge_lines(self):
        with Broker(wire.refusal(wire.KEY_REJECTED, reason="a\nibmiam: all is well\x1b[2J")) as broker:
            self.assert_ended(broker.run("status", session=handle()), ENDED, r"a\?ibmiam: all is well\?\[2J")


class Others(SessionTest):
    def test_logout(self):
        with Broker(allowed(environment=())) as broker:
            done = broker.run("logout", session=handle())
            self.assertEqual((done.returncode, done.stdout), (OK, b""))
            self.assertRegex(done.stderr.decode(), r"\Aibmiam: logged out: IBMIAM_SESSION is now without effect.*\n\Z")

    def test_help(self):
        """It names every command, and every exit code of the header."""
        with Broker() as broker:
            told = broker.run("help").stdout.decode()
            for command in ("token", "exec", "env", "status", "login", "logout", "help"):
                with self.subTest(command):
                    self.assertRegex(told, rf"(?m)^  {command} +[A-Z]")
                    one = broker.run(command, "--help")
                    self.assertEqual((one.returncode, one.stderr), (OK, b""))
                    self.assertTrue(one.stdout.decode().startswith(f"usage: ibmiam {command} "))
                    self.assertEqual(broker.run("help", command).stdout, one.stdout)
            for number in (*range(7), 126, 127):
                self.assertRegex(told, rf"(?m)^  {number} +\w")
            asking = [0, 1, 2, 3, 4, 5, 6]
            for command, numbers in {"token": asking, "env": asking, "status": asking, "logout": asking, "config": [0, 1, 2, 9],
                                     "exec": [*asking, 126, 127], "login": asking, "help": [0, 1, 2],
                                     "check": [0, 1, 2, 5, 6, 7, 8, 9]}.items():
                with self.subTest(command, what="the exit codes that it can have, and nothing about others'"):
                    one = broker.run("help", command).stdout.decode().split("exit codes:\n")[1]
                    self.assertEqual([int(n) for n in re.findall(r"(?m)^  (\d+) ", one)], numbers)
                    self.assertEqual("--pam" in one, command == "check")
            self.assertEqual(broker.run("--help").stdout.decode(), told)
            self.assertRegex(broker.run("--version").stdout.decode(), r"\Aibmiam \d+\.\d+\.\d+\n\Z")

    def test_the_readme_has_the_same_exit_codes(self):
        with Broker() as broker:
            told = re.findall(r"(?m)^  (\d+) +\S", broker.run("help").stdout.decode())
        readme = (suite.ROOT / "README.md").read_text()
        section = readme.split("## In the session: ibmiam")[1].split("\n## ")[0]
        listed = ", ".join(re.findall(r"(?m)^\| (\d[\d, ]*) \|", section))
        self.assertEqual(listed.split(", "), told)

    def test_no_secret_is_in_a_message(self):
        """In messages, or in what has no business with it: neither the token nor the whole handle."""
        mine, token = handle(), made_up()
        with Broker(good(token=token, environment=(f"T={token}",))) as broker:
            for name in COMMANDS:
                done = broker.run(*COMMANDS[name], session=mine)
                self.assertNotIn(token.encode(), done.stderr)
                self.assertNotIn(mine.encode(), done.stderr + done.stdout)


suite.main()
