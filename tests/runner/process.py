"""A module's process, and what its output says of its tests."""
import collections
import json
import os
import re
import signal
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUTPUT_SHOWN_BYTES_MAX = 40000

Outcome = collections.namedtuple("Outcome", "name result seconds detail")
Module = collections.namedtuple("Module", "name kind command")


class Process:
    """One module's process: its output line by line, and an end at the time limit."""

    def __init__(self, command, environment, time_limit):
        self.stalled = False
        self.left = None  # what this run leaves out, see budgets.left_line
        self.tests = {}  # of each, where it is known: {"processor": seconds, "reached": names of failpoints}
        self.tail = collections.deque()
        self.tail_bytes = 0
        self.processor_seconds = 0.0  # its own and those of the processes that it waited for
        self.process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)
        self.timer = threading.Timer(time_limit, self.stop_stalled)
        self.timer.start()

    def stop_stalled(self):
        self.stalled = True
        self.signal_all(signal.SIGUSR1)  # Python modules print where they stand
        time.sleep(1)
        self.signal_all(signal.SIGKILL)

    def signal_all(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def lines(self):
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.tail.append(line)
            self.tail_bytes += len(line)
            while self.tail_bytes > OUTPUT_SHOWN_BYTES_MAX and len(self.tail) > 1:
                self.tail_bytes -= len(self.tail.popleft())
            yield line

    def forget_last_line(self):
        self.tail_bytes -= len(self.tail.pop())

    def wait(self):
        """Returns how the process ended, as words, or None for a clean end."""
        _, status, usage = os.wait4(self.process.pid, 0)
        code = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.processor_seconds = usage.ru_utime + usage.ru_stime
        self.timer.cancel()
        self.signal_all(signal.SIGKILL)  # whatever it started and left behind
        if self.stalled:
            return "stalled: no end within %g s" % self.timer.interval
        if code < 0:
            return "died of %s" % signal.Signals(-code).name
        return "exited with %d" % code if code else None

    def output(self):
        return "\n".join(self.tail)


def run_check(module, process, _wanted):
    start = time.monotonic()
    for _ in process.lines():
        pass
    ended = process.wait()
    detail = "%s\n%s" % (ended, process.output()) if ended else ""
    return [Outcome(module.name, "failed" if ended else "passed", time.monotonic() - start, detail)]


# cmocka's subunit lines. A test may print without a newline before them.
CMOCKA_START = re.compile(r"^test: (.+)$")
# The blanks inside the brackets of "error: NAME [ MESSAGE ]" tell it from what programs print.
CMOCKA_END = re.compile(r"(success|failure|skip|error(?=: .* \[ .* \]$)): (.+?)( \[.*)?$")


def run_cmocka(module, process, _wanted):
    outcomes = []
    current = start = None
    output = []  # of the current test
    in_failure = False

    def finish(result, detail=""):
        outcomes.append(Outcome("%s.%s" % (module.name, current), result,
                                time.monotonic() - start, detail))

    for line in process.lines():
        started, ended = CMOCKA_START.match(line), CMOCKA_END.search(line)
        if started:
            current, start, output, in_failure = started.group(1), time.monotonic(), [], False
        elif in_failure and line != "]":
            output.append(line)
        elif in_failure:
            finish("failed", "\n".join(output))
            current, in_failure = None, False
        elif ended and ended.group(1) == "error":  # set-up or tear-down of a group
            outcomes.append(Outcome("%s (group)" % module.name, "failed", 0.0, line))
        elif ended and current == ended.group(2):
            if ended.group(1) == "failure":
                in_failure = True
                continue
            reason = output[-1] if output else "no reason printed before skip()"
            finish(*(("skipped", reason) if ended.group(1) == "skip" else ("passed", "")))
            current = None
        else:
            output.append(line)

    ended = process.wait()
    if current is not None:
        finish("failed", "%s in this test\n%s" % (ended or "the program ended", process.output()))
    elif not outcomes:
        why = "%s without running a test" % (ended or "ended")
        outcomes.append(Outcome(module.name, "failed", 0.0, "%s\n%s" % (why, process.output())))
    elif ended and not any(o.result == "failed" for o in outcomes):
        outcomes.append(Outcome(module.name, "failed", 0.0,
                                "%s after its tests\n%s" % (ended, process.output())))
    return outcomes


def run_python(module, process, wanted):
    """tests/worker.py prints one JSON object a line, behind a mark, among the tests' own output."""
    outcomes = []
    current = start = None
    complete = False
    for line in process.lines():
        mark, _, text = line.partition("\x1etest\x1e")
        if not text:
            continue
        process.forget_last_line()
        if mark:
            process.tail.append(mark)
            process.tail_bytes += len(mark)
        event = json.loads(text)
        if event["event"] == "start":
            current, start = event["name"], time.monotonic()
        elif event["event"] == "end":
            outcomes.append(Outcome(event["name"], event["result"], event["seconds"],
                                    event["detail"]))
            process.tests[event["name"]] = {"processor": event["processor"], "reached": event["reached"]}
            current = None
        elif event["event"] == "left":
            process.left = event
        else:
            complete = True
    ended = process.wait()
    if ended or not complete:
        seconds = time.monotonic() - start if start else 0.0
        outcomes.append(Outcome(current or module.name, "failed", seconds,
                                "%s\n%s" % (ended or "ended early", process.output())))
    elif not outcomes and not wanted:
        outcomes.append(Outcome(module.name, "failed", 0.0, "no test in it\n" + process.output()))
    elif process.tail and any(o.result == "failed" for o in outcomes):
        outcomes = [o._replace(detail="%s\n--- printed by %s:\n%s" % (o.detail, module.name,
                                                                    process.output()))
                    if o.result == "failed" else o for o in outcomes]
    return outcomes


READERS = {"cmocka": run_cmocka, "python": run_python, "check": run_check}
