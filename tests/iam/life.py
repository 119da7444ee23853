"""When the stand-in ends: on SIGTERM, with its parent, or when a pipe on its stdin ends.

A test that is killed thus leaves no server behind.
"""
import ctypes
import os
import signal
import stat
import sys
import threading

PR_SET_PDEATHSIG = 1
END = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def begin() -> None:
    """Call first, before any thread exists: they inherit the signal mask."""
    parent = os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, END)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it went before the kernel knew that we care
        sys.exit("standin: the parent process has gone")
    if is_pipe(0):
        threading.Thread(target=watch_stdin, daemon=True).start()


def is_pipe(descriptor: int) -> bool:
    """Not so for /dev/null, which is always at its end, nor for a terminal."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def watch_stdin() -> None:
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def end() -> None:
    """Wait for the end, and be gone without a word from the threads."""
    signal.sigwait(END)
    os._exit(0)
