"""Wrong examples for the rules of ci/tidy: a rule that objects to none of them is broken.

Each case changes a small tree that no rule objects to, and names words of the one finding that must
come of it. Cases with `None` are right, though they look wrong, and must bring no finding.
"""

_LINT = "core/src/lib.rs"
_PLATFORM_FILES = ("Cargo.toml", "src/lib.rs")


def _right_tree() -> dict:
    files = ("CHANGELOG.md", "Cargo.toml", "Cargo.lock", "LICENSE", "README.md")
    tree = {name: b"x\n" for name in files}
    tree[_LINT] = b"//! Core.\npub mod mem;\n"
    tree["core/src/mem/mod.rs"] = b"//! Memory.\nuse crate::bytes::align_up;\n"
    for name in ("cli/src/main.rs", "ci/tool.py", "targets/README.md"):
        tree[name] = b"//! Head.\n"
    for platform in ("platform-linux", "platform-windows", "platform-macos"):
        for file in _PLATFORM_FILES:
            tree[f"{platform}/{file}"] = b"//! Head.\n"
    return tree


def _long_function(lines: int) -> str:
    return "fn long() {\n" + "    step();\n" * (lines - 2) + "}\n"


# (path, content after a `//!` head, or bytes as they are, or None to remove it; expected words)
CASES = [
    # Layers.
    ("core/src/mem/mod.rs", "use crate::quant::X;", "mem (layer 1) imports quant (layer 2)"),
    ("core/src/mem/arena.rs", "use crate::port::Worker;", "mem (layer 1) imports port (layer 1)"),
    ("core/src/model/mod.rs", "use crate::sampler::X;", "model (layer 6) imports sampler"),
    ("core/src/chat/mod.rs", "use crate::{bytes, tokenizer::{A, B}};", "chat (layer 6) imports"),
    ("core/src/num.rs", "fn f() { crate::mem::g() }", "num (layer 0) imports mem"),
    ("core/src/num.rs", "use super::mem;", "num (layer 0) imports mem"),
    ("core/src/mem/plan.rs", "use super::super::ops::X;", "mem (layer 1) imports ops"),
    ("core/src/num.rs", "mod tests { use super::super::mem; }", "num (layer 0) imports mem"),
    ("core/src/session.rs", "use crate::error::X;", "session (layer 7) imports error"),
    ("core/src/mystery.rs", "", "mystery has no layer"),
    ("core/src/num.rs", "use crate::mystery::X;", "mystery is no module"),
    ("core/src/session.rs", "use crate::{model::Config, ops, bytes::{self, X}};", None),
    ("core/src/num.rs", "/// See [`x`](crate::mem::x).\n// crate::ops\nfn f() {}", None),
    ("core/src/num.rs", 'const A: &str = "crate::mem"; /* crate::mem */', None),
    ("core/src/num.rs", "mod tests { use super::*; use super::exp; }", None),
    ("core/src/mem/plan.rs", "use super::Arena;\nmod tests { use super::super::Arena; }", None),
    ("platform-linux/src/lib.rs", "use picolm_macos::map;", "sibling's"),
    ("core/src/num.rs", "use picolm_linux::map;", "sibling's"),
    # Unsafe.
    ("core/src/quant/mod.rs", "// SAFETY: yes.\nunsafe { f() }", "unsafe outside"),
    ("core/src/kernels/portable/q4.rs", "unsafe fn f() {}", "unsafe outside"),
    ("core/src/kernels/mod.rs", "unsafe fn f() {}", "unsafe outside"),
    ("core/src/port/cpu.rs", "// SAFETY: yes.\nfn f() { unsafe { g() } }", "unsafe outside"),
    ("core/src/port/cpu.rs", "pub const unsafe fn with(self) -> Self { self }", None),
    ("core/src/kernels/x86_64/q4.rs", "fn f() {\n    unsafe { g() }\n}", "without a SAFETY"),
    ("core/src/mem/arena.rs", "unsafe impl Send for A {}", "without a SAFETY"),
    (
        "core/src/mem/arena.rs",
        "// SAFETY: of the first only.\nunsafe { f() };\nunsafe { g() };",
        "without a SAFETY",
    ),
    ("cli/src/main.rs", "fn f() { unsafe { g() } }", "without a SAFETY"),
    (
        "core/src/mem/arena.rs",
        "fn f() {\n  // SAFETY: the check\n  // above.\n  let x =\n    unsafe { g() };\n}",
        None,
    ),
    # Targets.
    ("core/src/ops/mod.rs", '#[cfg(target_arch = "x86_64")]\nmod a {}', "target_arch outside"),
    ("core/src/kernels/mod.rs", '#[cfg(target_arch = "x86_64")]\npub mod x86_64;', None),
    ("core/src/ops/mod.rs", '#[cfg(target_os = "linux")]\nmod a {}', "target_os in core"),
    ("cli/src/main.rs", '#[cfg(target_os = "linux")]\nmod a {}', "target_os outside"),
    ("cli/src/platform.rs", '#[cfg(target_os = "linux")]\nmod a {}', None),
    # Shape of files.
    ("core/src/num.rs", b"fn f() {}\n", "does not begin with"),
    ("core/src/num.rs", "// " + "x" * 98, "101 columns"),
    ("ci/tool.py", b"x" * 101, "101 columns"),
    ("core/src/num.rs", "// " + "\u00e4" * 97, None),
    ("core/src/num.rs", "\n" * 900, "901 lines before tests"),
    ("core/src/num.rs", "\n" * 700, "still one idea"),
    ("core/src/num.rs", "#[cfg(test)]\nmod tests {" + "\n" * 950 + "}", None),
    ("core/src/num.rs", _long_function(71), "fn long has 71 lines"),
    ("core/src/num.rs", _long_function(70), None),
    ("core/src/num.rs", "// TO" "DO: later", "left behind"),
    ("core/src/num.rs", "fn f() { to" "do!() }", "left behind"),
    ("README.md", b"FIX" b"ME", "left behind"),
    # Folders and sizes.
    ("core/src/blob.bin", b"x" * ((64 << 10) + 1), "bytes; only"),
    ("targets/firmware/model/stories.gguf", b"x" * 300_001, "bytes, 300000 are allowed"),
    ("core/tests/data/a.gguf", b"x" * 20_000_001, "bytes in all"),
    ("core/tests/data/a.gguf", b"x" * 20_000_000, None),
    ("notes.txt", b"x", "does not belong to the top level"),
    ("LICENSE", None, "is missing at the top level"),
    (".gitignore", b"x", None),
    ("platform-linux/src/map.rs", "", "missing: a twin"),
    ("platform-linux/src/map/part.rs", "//! Part.\n", "missing: a twin"),
    ("platform-linux/src/lib/part.rs", "//! Part.\n", None),
    ("platform-macos/src/lib.rs", None, "missing: a twin"),
]


def run(check) -> int:
    """Runs every case through `check`; the number of cases that it judged wrongly, at most 1."""
    wrong = [f"a right tree: {finding}" for finding in check(_right_tree())]
    for path, content, words in CASES:
        tree = _right_tree()
        if content is None:
            del tree[path]
        else:
            tree[path] = content if isinstance(content, bytes) else f"//! Head.\n{content}".encode()
        messages = [finding.message for finding in check(tree)]
        if words is None and messages:
            wrong.append(f"{path}: {content!r:.80} is right, but: {messages}")
        elif words is not None and not any(words in message for message in messages):
            wrong.append(f"{path}: {content!r:.80}: expected {words!r}, found {messages}")
    for line in wrong:
        print(line)
    print(f"tidy self-test: {len(CASES) + 1} cases, {len(wrong)} judged wrongly")
    return min(len(wrong), 1)
