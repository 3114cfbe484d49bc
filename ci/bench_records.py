"""What benchmark programs print, brought to one form: samples, medians, ratios, table, CSV.

Knows formats only; ci/compare runs the programs.
"""

import csv
import json
import re
from pathlib import Path
from statistics import median
from typing import NamedTuple

COLUMNS = (
    "date", "commit", "model", "format", "work", "threads", "engine", "setting",
    "median", "min", "max", "ratio", "read_bandwidth_gb_per_s",
)  # fmt: skip
BOARD_COLUMNS = (
    "date", "commit", "model", "work", "ram_mib", "disk_mib_per_s", "threads", "context",
    "engine", "setting", "median", "formula", "share",
)  # fmt: skip
OURS = "picolm"


class ParseError(Exception):
    """A program's output is not what it should be; the message says whose and why."""


class Cell(NamedTuple):
    """What one sample is of."""

    work: str
    threads: int
    engine: str
    setting: str = ""

    @property
    def in_seconds(self) -> bool:
        """Whether less is better."""
        return self.work.startswith("start ")


class Row(NamedTuple):
    """A cell's samples together. `counts`: the peer's better setting."""

    cell: Cell
    median: float
    min: float
    max: float
    ratio: float | None
    counts: bool


def parse_picolm(output: str) -> dict:
    """`picolm bench --json`."""
    try:
        result = json.loads(output)
        return {
            "prefill": result.get("prefill_tokens_per_s"),
            "decode": result.get("decode_tokens_per_s"),
            "read_bytes_per_s": float(result["readable_bytes_per_s"]),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParseError(f"picolm bench: {error!r}") from error


def parse_llama_bench(output: str) -> float:
    """`llama-bench -o json` of one test: tokens per second."""
    try:
        (test,) = json.loads(output)
        return median(test["samples_ts"])
    except (ValueError, KeyError, TypeError) as error:
        raise ParseError(f"llama-bench: {error!r}") from error


def parse_picolm_c(output: str, phase: str) -> float:
    """The C program's line `Prefill: 12 tokens in 1.50s (8.0 tok/s)`, or `Generation: ...`.

    Its rate has one decimal, too few at 1.5 tokens a second: tokens and seconds are taken instead.
    """
    found = re.search(rf"^{phase}: (\d+) tokens in ([\d.]+) ?s\b", output, re.MULTILINE)
    if not found or float(found[2]) <= 0:
        raise ParseError(f"picolm-c: no time in a line `{phase}: N tokens in T s`")
    return int(found[1]) / float(found[2])


def parse_picolm_run(output: str) -> float:
    """Ours, of a text written: `Generation: 9 tokens in 1.50 s`, tokens evaluated per second.

    The first token is chosen from what the prompt left: as many passes as tokens, less one.
    """
    found = re.search(r"^Generation: (\d+) tokens in ([\d.]+) s\b", output, re.MULTILINE)
    if not found or float(found[2]) <= 0 or int(found[1]) < 2:
        raise ParseError("picolm: no line `Generation: N tokens in T s` of 2 tokens or more")
    return (int(found[1]) - 1) / float(found[2])


def parse_bytes(info: str, name: str) -> float:
    """The bytes of a line `name:  1.23 MB` of `picolm info`, indented or not."""
    units = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
    found = re.search(rf"^ *{name}:? +([\d.]+) (\w+)$", info, re.MULTILINE)
    if not found or found[2] not in units:
        raise ParseError(f"picolm info: no bytes in a line `{name}`")
    return float(found[1]) * units[found[2]]


def parse_dd(output: str) -> float:
    """`dd`: bytes per second, from its last line."""
    found = re.search(r"^(\d+) bytes .*copied, ([\d.e-]+) s", output, re.MULTILINE)
    if not found or float(found[2]) <= 0:
        raise ParseError("dd: no line `N bytes copied, T s`")
    return int(found[1]) / float(found[2])


def parse_peak(output: str) -> int:
    """`ci/board-box`: the most bytes in memory at a time."""
    found = re.search(r"^board-box: peak (\d+) bytes\b", output, re.MULTILINE)
    if not found:
        raise ParseError("board-box: no line `peak N bytes`")
    return int(found[1])


def parse_formats(info: str) -> str:
    """The types of the matrices, from the tensor table of `picolm info`, most bytes first."""
    units = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
    _, _, table = info.partition("\ntensors:\n")
    rows = re.findall(r"^  (\w+) +\d+ +([\d.]+) (\w+)$", table, re.MULTILINE)
    if not rows:
        raise ParseError("picolm info: no table of tensors")
    by_bytes = sorted(rows, key=lambda row: float(row[1]) * units.get(row[2], 0), reverse=True)
    names = [name for name, *_ in by_bytes]
    # Vectors are F32 in every model.
    return "+".join([name for name in names if name != "F32"] or names)


def base_of(cell: Cell, cells) -> Cell | None:
    """The cell of ours that one of ours is compared with: another depth, fewer threads."""
    same = [c for c in cells if c.engine == cell.engine and c.setting == cell.setting]
    if " at " in cell.work:
        start = cell.work.rsplit(" ", 1)[0]
        same = [c for c in same if c.threads == cell.threads and c.work.startswith(start + " ")]
    elif cell.work.endswith(" busy"):
        same = [c for c in same if c.work == cell.work and c.threads == 1]
    else:
        return None
    return same[0] if same and same[0] != cell else None


def rows(samples: dict) -> list:
    """`{Cell: [sample, ...]}` to rows, in the order of the cells."""
    medians = {cell: median(values) for cell, values in samples.items() if values}

    def better(cell: Cell) -> bool:
        rivals = [
            medians[other]
            for other in medians
            if other[:3] == cell[:3] and other.setting != cell.setting
        ]
        worse_than = (lambda a, b: a > b) if cell.in_seconds else (lambda a, b: a < b)
        return not any(worse_than(medians[cell], rival) for rival in rivals)

    made = []
    for cell, middle in medians.items():
        if cell.engine == OURS:
            base = base_of(cell, medians)
            ratio = middle / medians[base] if base else None
        else:
            ours = medians.get(Cell(cell.work, cell.threads, OURS))
            ratio = None
            if ours and middle:
                ratio = middle / ours if cell.in_seconds else ours / middle
        counts = cell.engine != OURS and better(cell)
        values = samples[cell]
        made.append(Row(cell, middle, min(values), max(values), ratio, counts))
    return made


def number(value: float | None) -> str:
    """Four digits that matter."""
    return "" if value is None else f"{value:.4g}"


def table(made: list) -> str:
    """Rows for people."""
    lines = [("work", "threads", "engine", "median", "min", "max", "ratio", "")]
    for row in made:
        cell = row.cell
        engine = f"{cell.engine} {cell.setting}".strip()
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        mark = "counts" if row.counts else ""
        numbers = (number(row.median), number(row.min), number(row.max))
        lines.append((cell.work, str(cell.threads), engine, *numbers, ratio, mark))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    # Words to the left, numbers to the right.
    return "\n".join(
        "  ".join(
            text.ljust(width) if column in (0, 2, 7) else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )


def append(path: Path, about: dict, made: list, read_gb_per_s: dict) -> None:
    """Appends rows to the record at `path`; `about` has date, commit, model and format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        for row in made:
            numbers = {name: number(getattr(row, name)) for name in ("median", "min", "max")}
            writer.writerow({
                **about, **row.cell._asdict(), **numbers, "ratio": number(row.ratio),
                "read_bandwidth_gb_per_s": number(read_gb_per_s.get(row.cell.threads)),
            })  # fmt: skip
