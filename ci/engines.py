"""The engines that are measured, ours and others: how each is run, and what it says."""

import bisect
import json
import os
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import bench_records
from bench_records import OURS, ParseError

ROOT = Path(__file__).resolve().parent.parent
START_TOKENS = 5


def output_of(command: list, both_streams: bool = False) -> str:
    """What a program prints; ParseError, with its last words, where it fails."""
    command = [str(word) for word in command]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace")  # fmt: skip
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        name = Path(command[0]).name
        raise ParseError(f"{name}: exit code {done.returncode}: {' '.join(words)}")
    return done.stdout + done.stderr if both_streams else done.stdout


def seconds_of(command: list) -> float:
    """How long a program takes, from start to end."""
    start = time.perf_counter()
    output_of(command)
    return time.perf_counter() - start


class Engine:
    """What engines have in common."""

    # Words before each command that is measured: of a program that holds it to something, say.
    prefix = ()

    def output(self, command: list, both_streams: bool = False) -> str:
        return output_of([*self.prefix, *command], both_streams)

    def seconds(self, command: list) -> float:
        return seconds_of([*self.prefix, *command])


class PicoLM(Engine):
    """Ours."""

    name, settings = OURS, ("",)

    def __init__(self, program: Path):
        self.program = program
        # By threads: most bytes per second that were read of the file.
        self.read_bytes_per_s = defaultdict(float)

    def _bench(self, model, threads: int, *options) -> dict:
        command = [self.program, "bench", model, "-j", threads, "-r", 1, "--json", *options]
        result = bench_records.parse_picolm(self.output(command))
        best = max(self.read_bytes_per_s[threads], result["read_bytes_per_s"])
        self.read_bytes_per_s[threads] = best
        return result

    def read_afresh(self, model) -> None:
        """Has the file read into memory from the disk, as after a boot: what was only just
        written lies there in small pages."""
        file = os.open(model, os.O_RDONLY)
        try:
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
        output_of([self.program, model, "-p", "a", "-n", 1, "--quiet"])

    def prefill(self, model, _setting, threads: int, tokens: int) -> float:
        return self._bench(model, threads, "-p", tokens, "-n", 0)["prefill"]

    def decode(self, model, _setting, threads: int, tokens: int, depth: int) -> float:
        options = ("-p", 0, "-n", tokens, "--depth", depth)
        return self._bench(model, threads, *options)["decode"]

    def start(self, model, _setting, threads: int, tokens: int = START_TOKENS) -> float:
        prompt = self.prompt(model, tokens)
        options = ("-p", prompt, "-n", 1, "-t", 0, "-j", threads, "--quiet")
        return self.seconds([self.program, model, *options])

    def prompt(self, model, tokens: int) -> str:
        """A text of so many tokens: letters, most of which are one each."""
        def text(letters: int) -> str:
            return " ".join("abcdefgh"[index % 8] for index in range(letters))

        def count(letters: int) -> int:
            ids = output_of([self.program, "tokenize", model, "-p", text(letters)])
            return len(json.loads(ids))

        # More letters are not fewer tokens: the most that are not too many.
        letters = range(1, tokens + 1)
        return text(max(1, bisect.bisect_right(letters, tokens, key=count)))

    def formats(self, model) -> str:
        return bench_records.parse_formats(output_of([self.program, "info", model]))


class LlamaCpp(Engine):
    """llama.cpp, by its own benchmark program."""

    name, settings = "llama.cpp", ("repacked", "in place")

    def __init__(self, program: Path):
        self.program = program

    def _command(self, model, setting: str, threads: int, *options) -> list:
        repack = int(setting == "repacked")
        return [self.program, "-m", model, "-t", threads, "-r", 1, "--repack", repack,
                "-o", "json", *options]  # fmt: skip

    def prefill(self, model, setting, threads: int, tokens: int) -> float:
        command = self._command(model, setting, threads, "-p", tokens, "-n", 0)
        return bench_records.parse_llama_bench(self.output(command))

    def decode(self, model, setting, threads: int, tokens: int, depth: int) -> float:
        command = self._command(model, setting, threads, "-p", 0, "-n", tokens, "-d", depth)
        return bench_records.parse_llama_bench(self.output(command))

    def start(self, model, setting, threads: int, tokens: int = START_TOKENS) -> float:
        options = ("-p", tokens, "-n", 0, "--no-warmup")
        return self.seconds(self._command(model, setting, threads, *options))


class PicoLMC(Engine):
    """PicoLM as it was, in C: it has no benchmark, so it is given a prompt of letters."""

    name, settings = "picolm-c", ("",)

    def __init__(self, program: Path, ours: PicoLM):
        self.program, self.ours = program, ours
        self.prompts = {}

    def _run(self, model, threads: int, prompt_tokens: int, tokens: int) -> list:
        key = (model, prompt_tokens)
        if key not in self.prompts:
            self.prompts[key] = self.ours.prompt(model, prompt_tokens)
        prompt = self.prompts[key]
        return [self.program, model, "-p", prompt, "-n", tokens, "-t", 0, "-j", threads]

    def prefill(self, model, _setting, threads: int, tokens: int) -> float:
        output = self.output(self._run(model, threads, tokens, 1), both_streams=True)
        return bench_records.parse_picolm_c(output, "Prefill")

    def decode(self, model, _setting, threads: int, tokens: int, depth: int) -> float:
        command = self._run(model, threads, max(depth, 1), tokens)
        return bench_records.parse_picolm_c(self.output(command, both_streams=True), "Generation")

    def start(self, model, _setting, threads: int, tokens: int = START_TOKENS) -> float:
        return self.seconds(self._run(model, threads, tokens, 1))


def peers(ours: PicoLM) -> list:
    """The other engines that the environment names."""
    named = []
    if os.environ.get("LLAMA_BENCH"):
        named.append(LlamaCpp(Path(os.environ["LLAMA_BENCH"]).resolve()))
    if os.environ.get("PICOLM_C"):
        named.append(PicoLMC(Path(os.environ["PICOLM_C"]).resolve(), ours))
    return named


def commit() -> str:
    """The checkout's commit, with `+` where it has changes."""
    git = ["git", "-C", ROOT]
    changed = output_of([*git, "status", "--porcelain", "--untracked-files=no"]).strip()
    return output_of([*git, "rev-parse", "--short=12", "HEAD"]).strip() + ("+" if changed else "")


def target() -> str:
    """The machine's target triple, as the compiler names it."""
    lines = output_of(["rustc", "-vV"]).splitlines()
    return next(line.split()[1] for line in lines if line.startswith("host:"))


def program() -> Path:
    """Our program: the one that is named, or this checkout's, built."""
    named = os.environ.get("PICOLM")
    if named:
        return Path(named).resolve()
    build = ["cargo", "build", "--quiet", "--locked", "--release", "--package", "picolm"]
    subprocess.run(build, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "picolm"
