"""Compares two programs over all pairs of options and values: stdout byte for byte, exit code.

usage: tiny_pairs.py EXPECTED ACTUAL MODEL...
"""

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# Every option that takes a value, in its spellings, with values that are good and that are not.
OPTIONS = {
    ("-p", "--prompt"): ["Once upon", "", "héllo <s>\n", "-n"],
    ("-n", "--max-tokens"): ["0", "7", "+3", "-1", "4294967296", "x", ""],
    ("-t", "--temperature"): ["0", "0.7", "1.5", ".5", "-1", "nan"],
    ("-k", "--top-p"): ["1", "0.5", "0", "1.1", "x"],
    ("-s", "--seed"): ["0", "18446744073709551615", "18446744073709551616", "-2"],
    ("-c", "--context"): ["1", "9", "64", "0", "99999999"],
    ("-j", "--threads"): ["1", "3", "0", "33"],
    ("--kv",): ["f16", "q8_0", "q4_0", "f32"],
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


def cases():
    """What stands behind a model: nothing, each option alone in all forms, and all pairs."""
    yield []
    single = []
    for names, values in OPTIONS.items():
        for name in names:
            yield [name]
            for value in values:
                yield from spelled(name, value)
        single += [(names, next(spelled(names[0], value))) for value in values]
    for (first, a), (second, b) in itertools.combinations(single, 2):
        if first != second:
            yield [*a, *b]


def outcome(program, arguments, stdin):
    run = subprocess.run([program, *arguments], input=stdin, capture_output=True, timeout=60)
    return run.returncode, run.stdout, run.stderr


def main(expected, actual, *models):
    # No model, two of them, none that can be read, and what is not one.
    odd = [
        [], ["--"], [models[0], models[0], *LEAST], ["/no/such/model", *LEAST],
        ["/", *LEAST], ["/dev/null", *LEAST], [__file__, *LEAST],
        [*LEAST, "--", models[0]], ["--help", "-n"],
    ]  # fmt: skip
    work = [(arguments, b"") for arguments in odd[:-1]]
    for model in models:
        for case in cases():
            # Options of the case come last, and count.
            work.append(([model, *LEAST, *case], b""))
        for stdin in (b"", b"a prompt\n", "é".encode() * 999, bytes(range(256))):
            work.append(([model, "-n", "3"], stdin))
    failed = 0

    def compare(item):
        arguments, stdin = item
        return item, outcome(expected, arguments, stdin), outcome(actual, arguments, stdin)

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
    print(f"{len(work)} command lines: stdout and exit code are equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
