"""Compares two programs: stdout byte for byte, and exit codes. Over all pairs of options and
values, and where a shell closes their streams, limits them, interrupts them, keeps their caches.

usage: tiny_pairs.py [--all] EXPECTED ACTUAL MODEL...

ACTUAL may be a command: an emulator and the program. Without --all only the first model sees
pairs, the others each option alone.
"""

import itertools
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

# Every option that takes a value, in its spellings, with values that are good and that are not.
OPTIONS = {
    ("-p", "--prompt"): ["Once upon", "", "héllo <s>\n", "-n"],
    ("-n", "--max-tokens"): ["0", "7", "+3", "-1", "4294967296", "x", ""],
    ("-t", "--temperature"): ["0", "0.7", "1.5", ".5", "-1", "nan", "+.1234567", "5."],
    ("-k", "--top-p"): ["1", "0.5", "0", "1.1", "x"],
    ("-s", "--seed"): ["0", "18446744073709551615", "18446744073709551616", "-2"],
    ("-c", "--context"): ["1", "9", "64", "0", "99999999"],
    ("-j", "--threads"): ["1", "3", "0", "33"],
    ("--kv",): ["f16", "q8_0", "q4_0", "f32"],
    ("--ram",): ["1G", "1", "auto", "x", "1.5gib", ".5M", "5iB", "0.0001K", "99999999999G"],
    ("--json",): [None, "value", "array", ""],
    ("--quiet",): [None, "yes"],
    ("--version", "-V"): [None],
    ("--unknown", "-z"): ["1"],
}
# Where `-n` does not say how much.
LEAST = ["-n", "5", "-p", "Hi"]


def spelled(name, value):
    """The arguments of an option in all forms: its value beside it or in it."""
    if value is None:
        yield [name]
        return
    yield [name, value]
    yield [f"{name}={value}"]
    if not name.startswith("--"):
        yield [name + value]


def cases(with_pairs):
    """What stands behind a model: nothing, each option alone in all forms, and all pairs."""
    yield []
    single = []
    for names, values in OPTIONS.items():
        for name in names:
            yield [name]
            for value in values:
                yield from spelled(name, value)
        single += [(names, next(spelled(names[0], value))) for value in values]
    for (first, a), (second, b) in itertools.combinations(single if with_pairs else [], 2):
        if first != second:
            yield [*a, *b]


# Emulated, the longest prompt takes most of a minute of processor time.
TIMEOUT_S = 600


def outcome(program, arguments, stdin):
    command = [*program.split(), *arguments]
    run = subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT_S)
    return run.returncode, run.stdout, run.stderr


# What stands behind the program and the model: streams, limits, signals, and caches.
SHELL = [
    "-p hi -n 3 <&-", "-p hi -n 3 >&-", "-p hi -n 3 2>&-", "-p hi -n 3 <&- >&- 2>&-",
    "-n 3 <&-", "-n 3 0>/dev/null", "-p hi -n 0 >&-", "--version >&-", "--cache C -n 3 <&-",
    "-p hi -n 3 >/dev/full", "-p hi -n 3 2>/dev/full", "-n 3 </", "-p hi -n 90 | head -c 3",
    "-p 'Once upon a' -n 9 --cache C; cat C", "-p 'Once upon a time' -n 9 --cache C; cat C",
    "-p 'Once upon a' -n 9 --cache C; cat C", "-p hi -n 3 --cache C --kv q8_0; cat C",
    "-p hi -n 3 --cache . ", "-p hi -n 3 --cache no/folder", "-p hi -n 3 --cache ''",
    "-p hi -n 3 --cache PIPE", "-p hi -n 3 --cache LINK; cat C",
    "-p hi -n 3 --cache NOTE; cat NOTE", "-p hi -n 3 --cache READONLY", "-p hi -n 3 --cache LOOP",
]  # fmt: skip
UNLIMITED = "ulimit -s unlimited"
BEFORE = ["true", UNLIMITED, "ulimit -s 64", "ulimit -f 1", "trap '' PIPE", "trap '' INT"]


def sessions(program, model, befores):
    """What each command line of `SHELL` gives, one after the other in a folder of their own."""
    prepare = "mkfifo PIPE; ln -s C LINK; ln -s LOOP LOOP; echo note >NOTE; cp NOTE READONLY; "
    prepare += "chmod a-w READONLY"
    with tempfile.TemporaryDirectory() as folder:
        limits = {"capture_output": True, "timeout": TIMEOUT_S}
        run = partial(subprocess.run, shell=True, cwd=folder, **limits)
        run(prepare, check=True)
        for before in befores:
            for rest in SHELL:
                done = run(f"{before}; {program} {model} {rest}")
                yield (before, rest), (done.returncode, done.stdout)
            left = sorted(name.name for name in Path(folder).iterdir())
            yield (before, "files"), left


def interrupted(program, model):
    """The exit codes of programs that wait for a prompt when a signal comes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        pipe, line = subprocess.PIPE, [*program.split(), model, "-n", "2"]
        with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as run:
            # Until it waits.
            time.sleep(0.3)
            run.send_signal(number)
            text, _ = run.communicate(b"hi")
        yield number, (run.returncode, text)


def main(*arguments):
    takes_all = arguments[0] == "--all"
    expected, actual, *models = arguments[takes_all:]
    # No model, two of them, none that can be read, and what is not one.
    odd = [
        [], ["--"], [models[0], models[0], *LEAST], ["/no/such/model", *LEAST],
        ["info"], ["info", "/no/such/model"], ["info", models[0], "-n", "3"], ["info", "-c", "0"],
        ["--json", models[0], *LEAST], ["--json", "value", models[0], *LEAST],
        ["--json", "--json", models[0], *LEAST], ["/", *LEAST], ["/dev/null", *LEAST],
        [__file__, *LEAST],
        [*LEAST, "--", models[0]], ["--help", "-n"],
    ]  # fmt: skip
    work = [(arguments, b"") for arguments in odd[:-1]]
    for model in models:
        for case in cases(takes_all or model == models[0]):
            # Options of the case come last, and count.
            work.append(([model, *LEAST, *case], b""))
        for stdin in (b"", b"a prompt\n", "é".encode() * 999, bytes(range(256))):
            work.append(([model, "-n", "3"], stdin))
    failed = 0

    def compare(item):
        arguments, stdin = item
        return item, outcome(expected, arguments, stdin), outcome(actual, arguments, stdin)

    expected, *models = (str(Path(name).resolve()) for name in (expected, *models))
    # QEMU leaves the stack's limit as it is, whatever a program asks for; start-up wants a limit.
    is_emulated = len(actual.split()) > 1
    befores = [before for before in BEFORE if not (is_emulated and before == UNLIMITED)]
    for of in (partial(sessions, befores=befores), interrupted):
        for (what, wanted), (_, got) in zip(of(expected, models[0]), of(actual, models[0])):
            if wanted != got:
                failed += 1
                print(f"{what}\n  {wanted}\n  {got}", file=sys.stderr)
    for model in models:
        lines = [set(), set()]
        for found, program in zip(lines, (expected, actual)):
            found.update(outcome(program, ["info", model, "-c", "77"], b"")[1].splitlines())
        own = lines[1] - lines[0]
        if len(lines[1]) != 10 or [line[:7] for line in own] != [b"memory:"]:
            failed += 1
            print(f"info {model}: {own}", file=sys.stderr)
    with ThreadPoolExecutor(2) as pool:
        for (arguments, _), wanted, got in pool.map(compare, work):
            if wanted[:2] != got[:2]:
                failed += 1
                print(f"{arguments}\n  {wanted}\n  {got}", file=sys.stderr)
            # Errors are one line, and only where the exit code says so.
            lines = got[2].count(b"\n")
            if got[0] in (1, 2) and (lines != 1 or not got[2].startswith(b"picolm: ")):
                failed += 1
                print(f"{arguments}: not one line: {got[2]}", file=sys.stderr)
            if failed > 10:
                break
    if failed:
        sys.exit(f"{failed} differ")
    count = len(work) + len(SHELL) * len(befores)
    print(f"{count} command lines: stdout and exit code are equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
