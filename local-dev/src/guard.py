"""Runs the command in its arguments and stops it when standard input ends.

The parent holds the other end of standard input. However the parent dies, the pipe closes, so the
command never outlives it.
"""

import os
import signal
import subprocess
import sys
import threading

child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)


def stop_when_input_ends():
    while os.read(0, 4096):
        pass
    for number, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, None)):
        try:
            os.killpg(child.pid, number)
            child.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


threading.Thread(target=stop_when_input_ends, daemon=True).start()
status = child.wait()
sys.exit(128 - status if status < 0 else status)
