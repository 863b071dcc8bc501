"""Become another program that is sent a signal when the process that started this one ends.

``python leash.py <parent's pid> <signal number> <user, or nothing> <program> <arguments>``; Linux alone. Run
by its path and without the project's packages, so that it costs a few milliseconds.
"""

import ctypes
import os
import pwd
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, number, user, *command = sys.argv[1:]
    if user:
        os.setuid(pwd.getpwnam(user).pw_uid)
    # After the change of user, which clears it.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number))
    if os.getppid() != int(parent):
        sys.exit("whoever started this has ended")
    os.execvp(command[0], command)  # noqa: S606 — the program and its arguments are the caller's own


if __name__ == "__main__":
    main()
