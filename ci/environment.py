"""The project's Python environment: pinned packages in the cache, never in the checkout.

A script calls `enter("gguf", "numpy")` before it imports them; from the shell,
`python3 ci/environment.py [--with gguf,numpy] ARGUMENT...` runs Python with the arguments. The
first call creates a virtual environment under ${XDG_CACHE_HOME:-~/.cache}/picolm and installs what
is asked for; later ones cost nothing. Packages come from wherever pip is configured to look.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

# gguf-py is the reference for tensor types; its values must not change under the tests.
# zig links for targets that Debian has no C library of (ARMv6 hard float, musl).
PINS = {
    "gguf": "gguf==0.19.0",
    "numpy": "numpy==2.4.6",
    "ziglang": "ziglang==0.14.1",
    "cargo-zigbuild": "cargo-zigbuild==0.24.0",
    # Validates what constraints have made, formats too.
    "jsonschema": "jsonschema==4.23.0",
    "rfc3339-validator": "rfc3339-validator==0.1.4",
    "fqdn": "fqdn==1.5.1",
    "rfc3986-validator": "rfc3986-validator==0.1.1",
    "isoduration": "isoduration==20.11.0",
    "jsonpointer": "jsonpointer==3.0.0",
    # The reference for chat templates, of the version that transformers asks for at least.
    "jinja2": "jinja2==3.1.6",
}


def cache() -> Path:
    """Where everything is kept that is fetched or built and does not belong into git."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "picolm"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(command: list, failure: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.stderr.write((done.stdout + done.stderr)[-2000:])
        sys.exit(f"environment: {failure}")


def interpreter(*names: str) -> Path:
    """The environment's Python, with the packages of `PINS` called `names` in it."""
    # One environment per Python version: packages with native parts belong to one only.
    folder = cache() / f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    with open(cache() / "python.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            missing = "cannot make a virtual environment: apt-get install python3-venv"
            _run([sys.executable, "-m", "venv", "--clear", str(folder)], missing)
            (folder / "made").touch()
        for name in names:
            stamp = folder / f"has-{PINS[name]}"
            if not stamp.exists():
                install = [str(python), "-m", "pip", "install", "-q", PINS[name]]
                _run(install, f"pip could not install {PINS[name]}")
                stamp.touch()
    return python


def enter(*names: str) -> None:
    """Goes on in the environment: returns at once inside it, else starts the script again there."""
    python = interpreter(*names)
    if Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), *sys.argv])


if __name__ == "__main__":
    arguments = sys.argv[1:]
    wanted = []
    if arguments[:1] == ["--with"]:
        wanted = arguments[1].split(",")
        arguments = arguments[2:]
    python = interpreter(*wanted)
    os.execv(python, [str(python), *arguments])
