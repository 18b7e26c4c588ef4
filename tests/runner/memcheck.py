"""`--valgrind`: the program, the unit tests and the contract suite under memcheck."""
import os
import re
import shlex

from .process import OUTPUT_SHOWN_BYTES_MAX, Outcome

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VALGRIND_LOG_BYTES_MAX = 4 << 20

# What `--valgrind` leaves out, and why: modules by the beginning of their names.
SLOW_UNDER_VALGRIND = "runs the program so often that valgrind, which takes half a second to " \
    "start it, would need hours; AddressSanitizer sees these runs"
NO_USE_OF_VALGRIND = "hardly runs the program, or not at all"
LEFT_OUT = {
    "faults/test_kill_": SLOW_UNDER_VALGRIND,
    "faults/test_matrix_": SLOW_UNDER_VALGRIND,
    "faults/test_random_": SLOW_UNDER_VALGRIND,
    "faults/test_round_trips": SLOW_UNDER_VALGRIND,
    "faults/test_take_over": "stops processes for times that valgrind outlasts",
    "fuzz/": "AddressSanitizer reads the same inputs",
    "system/test_demo": SLOW_UNDER_VALGRIND,
    "system/test_docs": NO_USE_OF_VALGRIND,
    "system/test_dynamodb_largest": SLOW_UNDER_VALGRIND,
    "system/test_fault_proxy": NO_USE_OF_VALGRIND,
    "system/test_house": NO_USE_OF_VALGRIND,
    "system/test_net_": "asks a probe, whose code the unit tests run",
    "system/test_report_page": NO_USE_OF_VALGRIND,
    "system/test_secrets": "looks at /proc, where it finds valgrind's arguments",
    "system/test_servers": NO_USE_OF_VALGRIND,
    "system/test_slow": "measures times",
    "system/test_limits": "measures memory and times",
    "system/test_validate_mutations": SLOW_UNDER_VALGRIND,
    "system/test_validate_pairs": SLOW_UNDER_VALGRIND,
}
# --vgdb=no: it would leave pipes in TMPDIR. Leaks change no exit code, but stand in the logs.
# libmariadb runs its asynchronous calls on stacks of its own, in the heap: if one lies less than a
# stack frame's greatest size from the thread's (2,000,000 by default), memcheck takes the jump
# between them for a frame, and all that is between them for unused.
# --read-inline-info=no: lines are enough, and the program begins a fifth sooner.
VALGRIND = ["valgrind", "--vgdb=no", "--fair-sched=try", "--max-stackframe=32768", "--read-inline-info=no",
            "--show-leak-kinds=definite", "--errors-for-leak-kinds=none", "--num-callers=30",
            "--error-exitcode=99", "--suppressions=" + os.path.join(TESTS, "valgrind.supp")]
VALGRIND_ERROR = re.compile(r"== (Invalid |Mismatched |Conditional jump|Use of uninit|Syscall param|"
                            r"Source and destination overlap|Argument '|Jump to the invalid|"
                            r"Process terminating with default action of signal 11)")
VALGRIND_LEAK = re.compile(r"== [0-9,]+ .*are definitely lost in loss record")


def left_out(module):
    """Why; None: it is not."""
    return next((why for beginning, why in LEFT_OUT.items()
                 if module.name.startswith(beginning)), None)


def begin(module, program, folder):
    """
    Makes a folder for valgrind's logs, one a process, and a script in it that runs the program
    under valgrind. Returns the script and, for a module that is itself a program, its wrapper.
    """
    os.mkdir(folder)
    command = " ".join(map(shlex.quote, VALGRIND))
    script = os.path.join(folder, "transhume")
    with open(script, "w", encoding="utf-8") as file:
        # What kills itself leaves everything behind. Process numbers come again: hence the time.
        file.write("#!/bin/sh\ncase $TRANSHUME_FAILPOINT in *:kill*) leaks=no ;; *) leaks=full ;; esac\n"
                   "exec %s --leak-check=$leaks --log-file=%s/$(date +%%s%%N)-%%p.log %s \"$@\"\n" % (
                       command, shlex.quote(folder), shlex.quote(program)))
    os.chmod(script, 0o700)
    if module.kind != "cmocka":
        return script, []
    return script, VALGRIND + ["--leak-check=full", "--log-file=%s/%%p.log" % folder]


def end(module, folder, process_id):
    """
    The logs with a finding, as one failure; none: nothing. A process that a signal ended, or that
    a unit test forked, leaves everything behind: no leaks there.
    """
    found = []
    for name in sorted(name for name in os.listdir(folder) if name.endswith(".log")):
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            log = file.read(VALGRIND_LOG_BYTES_MAX)
        whole = "terminating with default action of signal" not in log and \
            (module.kind != "cmocka" or name == "%d.log" % process_id)
        if VALGRIND_ERROR.search(log) or (whole and VALGRIND_LEAK.search(log)):
            found.append("%s\n%s" % (name, log[:OUTPUT_SHOWN_BYTES_MAX]))
    if not found:
        return []
    return [Outcome("%s (valgrind)" % module.name, "failed", 0.0, "\n".join(found))]
