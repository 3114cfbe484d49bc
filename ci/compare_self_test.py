"""Checks what ci/compare makes of the programs' output, on samples of it."""

import csv
import tempfile
from pathlib import Path

import bench_records as records
from bench_records import Cell, ParseError

RECORD = Path(__file__).resolve().parent.parent / "core/benches/record"

_PICOLM = """{"model": "m.gguf", "threads": 2, "prefill_tokens_per_s": null,
 "prefill_samples": [], "decode_tokens_per_s": 15.580, "decode_samples": [15.180, 15.980],
 "readable_bytes_per_s": 11870000000.000, "readable_share": 0.83}"""
_LLAMA = '[{"n_prompt": 0, "n_gen": 64, "repack": true, "avg_ts": 13.5, "samples_ts": [13.25]}]'
_PICOLM_C = """Loading model: m.gguf
 a b c
---
Prefill: 128 tokens in 85.33s (1.5 tok/s)
Generation: 64 tokens in 42.00s (1.5 tok/s) [partially cached]
Total: 127.33s
"""
_INFO = """file:            m.gguf (667.74 MB)
parameters:      1100048384
tensors:
  F32              45   376.8 kB
  Q4_K            135  482.20 MB
  Q6_K             21  184.46 MB
memory for a context of 2048, 2 threads:
  kv cache        46.14 MB
"""


def _refuses(parse, *arguments) -> bool:
    try:
        parse(*arguments)
    except ParseError:
        return True
    return False


def _parsing():
    picolm = records.parse_picolm(_PICOLM)
    yield picolm == {"prefill": None, "decode": 15.58, "read_bytes_per_s": 1.187e10}, "picolm"
    for wrong in ("", "[]", "{}", '{"readable_bytes_per_s": null}'):
        yield _refuses(records.parse_picolm, wrong), f"picolm: {wrong}"
    yield records.parse_llama_bench(_LLAMA) == 13.25, "llama-bench"
    for wrong in ("", "[]", "[{}, {}]", '[{"samples_ts": []}]', '{"error": 1}'):
        yield _refuses(records.parse_llama_bench, wrong), f"llama-bench: {wrong}"
    yield abs(records.parse_picolm_c(_PICOLM_C, "Prefill") - 128 / 85.33) < 1e-9, "C, prefill"
    yield records.parse_picolm_c(_PICOLM_C, "Generation") == 64 / 42, "C, generation"
    yield records.parse_picolm_c("Prefill: 12 tokens in 1.50 s (8", "Prefill") == 8, "C, spaced"
    for wrong in ("", "Prefill: 5 tokens in 0.00s (0.0 tok/s)", "x Prefill: 5 tokens in 1.0s"):
        yield _refuses(records.parse_picolm_c, wrong, "Prefill"), f"C: {wrong}"
    run = "Prefill: 5 tokens in 9.00 s (0.56 tok/s)\nGeneration: 9 tokens in 32.00 s (0.25 tok/s)\n"
    yield records.parse_picolm_run(run) == 8 / 32, "ours, a text"
    for wrong in ("", "Generation: 1 tokens in 1.00 s", "Generation: 9 tokens in 0.00 s"):
        yield _refuses(records.parse_picolm_run, wrong), f"ours, a text: {wrong}"
    yield records.parse_bytes(_INFO, "kv cache") == 46.14e6, "bytes of a row"
    yield records.parse_bytes("read per token:  636.01 MB\n", "read per token") == 636.01e6, "bytes"
    yield _refuses(records.parse_bytes, _INFO, "parameters"), "bytes: a count"
    dd = "3+1 records out\n667738976 bytes (668 MB, 637 MiB) copied, 6.5 s, 103 MB/s\n"
    yield records.parse_dd(dd) == 667738976 / 6.5 and _refuses(records.parse_dd, ""), "dd"
    box = "x\nboard-box: peak 268435456 bytes (256.0 MiB) of 256 MiB\n"
    yield records.parse_peak(box) == 1 << 28 and _refuses(records.parse_peak, "peak 5"), "peak"
    yield records.parse_formats(_INFO) == "Q4_K+Q6_K", "formats"
    yield records.parse_formats("\ntensors:\n  F32   5   1.0 kB\n") == "F32", "formats: F32 alone"
    yield _refuses(records.parse_formats, "file: x"), "formats: no table"


def _samples() -> dict:
    return {
        Cell("decode 64", 1, "picolm"): [10.0, 30.0, 20.0],
        Cell("decode 64", 1, "llama.cpp", "repacked"): [8.0, 16.0],
        Cell("decode 64", 1, "llama.cpp", "in place"): [10.0],
        Cell("start 5", 1, "picolm"): [0.25],
        Cell("start 5", 1, "llama.cpp", "repacked"): [2.0],
        Cell("start 5", 1, "llama.cpp", "in place"): [1.0],
        Cell("decode 64 at 100", 2, "picolm"): [20.0],
        Cell("decode 64 at 2000", 2, "picolm"): [15.0],
        Cell("decode 64 at 2000", 1, "picolm"): [9.0],
        Cell("decode 64 busy", 1, "picolm"): [10.0],
        Cell("decode 64 busy", 2, "picolm"): [9.5],
        Cell("decode 64", 2, "picolm-c"): [1.5],
        Cell("decode 64", 3, "picolm"): [],
    }


def _rows():
    made = {row.cell: row for row in records.rows(_samples())}
    expected = {
        Cell("decode 64", 1, "picolm"): (20.0, None, False),
        Cell("decode 64", 1, "llama.cpp", "repacked"): (12.0, 20 / 12, True),
        Cell("decode 64", 1, "llama.cpp", "in place"): (10.0, 2.0, False),
        Cell("start 5", 1, "picolm"): (0.25, None, False),
        Cell("start 5", 1, "llama.cpp", "repacked"): (2.0, 8.0, False),
        Cell("start 5", 1, "llama.cpp", "in place"): (1.0, 4.0, True),
        Cell("decode 64 at 100", 2, "picolm"): (20.0, None, False),
        Cell("decode 64 at 2000", 2, "picolm"): (15.0, 0.75, False),
        Cell("decode 64 at 2000", 1, "picolm"): (9.0, None, False),
        Cell("decode 64 busy", 1, "picolm"): (10.0, None, False),
        Cell("decode 64 busy", 2, "picolm"): (9.5, 0.95, False),
        # Nothing of ours beside it.
        Cell("decode 64", 2, "picolm-c"): (1.5, None, True),
    }
    yield list(made) == list(expected), "rows: which, in which order"
    for cell, (middle, ratio, counts) in expected.items():
        row = made[cell]
        yield (row.median, row.ratio, row.counts) == (middle, ratio, counts), f"rows: {row}"
    row = made[Cell("decode 64", 1, "picolm")]
    yield (row.min, row.max) == (10.0, 30.0), "rows: least and most"
    shown = records.table(list(made.values())).splitlines()
    yield shown[2].split() == "decode 64 1 llama.cpp repacked 12 8 16 1.67 counts".split(), "table"
    yield len(shown) == 1 + len(expected), "table: a line for each row"


def _recording():
    about = {"date": "2026-01-02", "commit": "abc", "model": "a,b", "format": "Q8_0"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "target" / "day.csv"
        made = records.rows(_samples())
        for _ in range(2):
            records.append(path, about, made, {1: 14.2})
        with open(path, newline="") as file:
            read = list(csv.DictReader(file))
    yield len(read) == 2 * len(made), "record: appended twice under one head"
    yield tuple(read[0]) == records.COLUMNS, "record: columns"
    line = ("2026-01-02", "abc", "a,b", "Q8_0", "decode 64", "1", "llama.cpp", "repacked",
            "12", "8", "16", "1.667", "14.2")  # fmt: skip
    yield tuple(read[1].values()) == line, f"record: {read[1]}"
    described = (RECORD / "README.md").read_text()
    for column in {*records.COLUMNS, *records.BOARD_COLUMNS}:
        yield f"`{column}`" in described, f"record: README.md does not describe {column}"
    for path in RECORD.glob("*/*.csv"):
        with open(path, newline="") as file:
            head = tuple(next(csv.reader(file)))
        columns = records.BOARD_COLUMNS if path.stem.endswith("-board") else records.COLUMNS
        yield head == columns, f"record: {path.name} has other columns"


def run() -> int:
    """Runs every check; 1 where one fails."""
    checks = [*_parsing(), *_rows(), *_recording()]
    for right, name in checks:
        if not right:
            print(name)
    wrong = sum(not right for right, _ in checks)
    print(f"compare self-test: {len(checks)} checks, {wrong} failed")
    return min(wrong, 1)
