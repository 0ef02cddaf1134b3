"""Runs a program on a terminal of its own and answers its questions.

Arguments: the file for its standard output, how many answers, the answers, the program and its arguments. Each answer is typed
when the program has shown another "MFA code for"; an answer of "^D" ends the input. What the terminal showed goes to standard
output; the exit code is the program's.
"""

import os
import pty
import select
import sys
import time

stdout, count = sys.argv[1], int(sys.argv[2])
answers, command = sys.argv[3 : 3 + count], sys.argv[3 + count :]
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT, 0o600), 1)
    os.execv(command[0], command)
shown, typed, end = b"", 0, time.monotonic() + 60
while time.monotonic() < end:
    if not select.select([terminal], [], [], 1)[0]:
        continue
    try:
        some = os.read(terminal, 65536)
    except OSError:
        break
    if not some:
        break
    shown += some
    if typed < min(count, shown.count(b"MFA code for")) and shown.endswith(b": "):
        os.write(terminal, b"\x04" if answers[typed] == "^D" else answers[typed].encode() + b"\n")
        typed += 1
else:
    os.kill(pid, 9)
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
