"""An image as Binder would make it of this checkout, and its notebooks run in it as Binder would run them.

`jupyter-repo2docker --no-build --debug .` prints the Dockerfile. Two of its steps need registries that a
test cannot count on and are replaced: the base (buildpack-deps) by dockerlab's stand-in of
python:3.13-slim, and the conda environment by a virtual one, with the versions of JupyterLab and ipywidgets
that repo2docker would lock. The container has what a session of mybinder.org has: an ordinary user, no new
privileges, Docker's seccomp filter, no Docker socket, 2 GB of memory, one processor, and the home folder of
the image. Needs Docker.

    .venv/bin/python -m tools.binder            make the image, run all notebooks, print what it took
    .venv/bin/python -m tools.binder --lint     only look at what repo2docker prints; no Docker
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from dockerlab.engines import choose
from dockerlab.engines.embedded.bases.standins import kept_as
from dockerlab.errors import BuildError
from dockerlab.units import human_bytes
from tools.course import ROOT
from tools.jupyterlab import free_port

IMAGE = "dockerlab/test-binder"
USER = "jovyan"
BASE = "python:3.13-slim"
FROM_LOCK = ("jupyterlab", "ipywidgets", "notebook", "jupyter_server", "jupyter-resource-usage")
LIMITS = (
    *("--memory", "2g", "--memory-swap", "2g", "--cpus", "1", "--user", "1000:1000", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges"),
)
ALL = """
import glob, subprocess, sys, time
failed = 0
for path in sorted(glob.glob("my-lab/notebooks/*.ipynb") + glob.glob("my-lab/solutions/*.ipynb")):
    began = time.monotonic()
    line = [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", "--inplace", path]
    done = subprocess.run(line + ["--ExecutePreprocessor.timeout=900"], capture_output=True, text=True)
    failed += done.returncode != 0
    said = "" if done.returncode == 0 else " FAILED\\n" + "\\n".join(done.stderr.splitlines()[-15:])
    print(f"{time.monotonic() - began:6.1f} s  {path}{said}", flush=True)
peak = open("/sys/fs/cgroup/memory.peak").read() if glob.glob("/sys/fs/cgroup/memory.peak") else open(
    "/sys/fs/cgroup/memory/memory.max_usage_in_bytes").read()
print(f"peak memory: {int(peak) / 1e6:.0f} MB, the kernel's file cache included", flush=True)
sys.exit(failed != 0)
"""


def printed() -> str:
    """Return the Dockerfile that repo2docker makes of this checkout; BuildError where it makes none."""
    program = Path(sys.executable).with_name("jupyter-repo2docker")
    line = [str(program), "--no-build", "--debug", f"--user-name={USER}", "--user-id=1000", str(ROOT)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    text = next((said for said in (done.stdout, done.stderr) if "\nFROM " in said), "")
    if done.returncode or not text:
        raise BuildError("repo2docker makes no Dockerfile of this checkout.", hint=done.stderr[-2000:])
    return text[text.index("\nFROM ") + 1 :]


def buildpacks() -> Path:
    """Return the folder of repo2docker's own files; to import it is to get its warnings."""
    spec = find_spec("repo2docker")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "buildpacks"


def locked(python: str) -> list[str]:
    """Return the versions that repo2docker's environment for a Python has, as pip writes them."""
    text = (buildpacks() / "conda" / f"environment.py-{python}-linux-64.lock").read_text()
    found = [re.search(rf"/{re.escape(name)}-([0-9][0-9.]*)-", text) for name in FROM_LOCK]
    return [f"{name}=={match[1]}" for name, match in zip(FROM_LOCK, found, strict=True) if match]


def adapted(text: str, *, base: str, pins: list[str]) -> str:
    """Return the Dockerfile with the base and the conda steps replaced; BuildError where one is not found."""
    for pattern, new in (
        (r"(?m)^FROM .*buildpack-deps.*$", f"FROM {base}"),
        (r"(?m)^COPY .*activate-2dconda.*$", ""),
        (r"(?m)^COPY .*environment-2epy.*$", ""),
        (r"(?m)^COPY .*install-2dbase.*$", ""),
        (
            r"(?s)RUN TIMEFORMAT='time: %3R' \\\nbash -c 'time /tmp/install-base-env.bash'.*?\n\n",
            "RUN python3 -m venv ${NB_PYTHON_PREFIX} && chown -R ${NB_USER} ${CONDA_DIR} "
            """&& echo 'PATH=/srv/conda/envs/notebook/bin:$PATH' >/etc/profile.d/environment.sh\n\n""",
        ),
        (
            r"(?s)RUN TIMEFORMAT='time: %3R' \\\nbash -c 'time \$\{MAMBA_EXE\} env update.*?\n'\n",
            f"RUN pip install --no-cache-dir {' '.join(pins)} -e .[course]\n",
        ),
    ):
        text, times = re.subn(pattern, lambda _, new=new: new, text)  # type: ignore[misc]
        if times != 1:
            raise BuildError(f"repo2docker's Dockerfile has {times} of what is replaced here: {pattern}")
    return text.replace("COPY --chmod=0755 /", "COPY --chmod=0755 ")


def wrong(text: str) -> list[str]:
    """Return what Binder would not do of what the course counts on."""
    wanted = {
        "environment.yml is taken": r'env update -p \$\{NB_PYTHON_PREFIX\} --file "environment.yml"',
        "apt.txt is installed": r"install --yes --no-install-recommends debian-archive-keyring proot",
        "postBuild is run": r"RUN ./postBuild",
        "start is the entry point": r'R2D_ENTRYPOINT="\$\{REPO_DIR\}/start"',
    }
    return [what for what, pattern in wanted.items() if not re.search(pattern, text)]


def base() -> str:
    """Return the image that stands for Binder's own base: made, or pulled, when it is not there."""
    build = choose("docker")[0].build(f"FROM {BASE}\nRUN true\n", tag="dockerlab/ready")
    return kept_as(BASE) if build.stand_in else BASE


def make(text: str) -> None:
    """Build the image from what is committed."""
    with tempfile.TemporaryDirectory() as name:
        context = Path(name)
        (context / "src").mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
        subprocess.run(["tar", "-x", "-C", str(context / "src")], input=archive.stdout, check=True)
        for script in ("python3-login", "repo2docker-entrypoint"):
            shutil.copy(buildpacks() / script, context / script)
        (context / "Dockerfile").write_text(adapted(text, base=base(), pins=locked("3.12")))
        line = ["docker", "build", "--tag", IMAGE, "--label", "dev.dockerlab=1"]
        line += ["--build-arg", f"NB_USER={USER}", "--build-arg", "NB_UID=1000", name]
        subprocess.run(line, check=True)


def size(image: str) -> int:
    """Return an image's size in bytes, as Docker gives it."""
    line = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.run(line, capture_output=True, text=True, check=True).stdout)


@contextmanager
def session(port: int) -> Iterator[None]:
    """Run the image as Binder runs it, its server on a port of loopback."""
    line = ["docker", "run", "--rm", "--detach", *LIMITS, "--publish", f"127.0.0.1:{port}:8888", IMAGE]
    line += ["jupyter", "lab", "--ip", "0.0.0.0", "--port", "8888", "--IdentityProvider.token="]
    line += ["--ServerApp.allow_remote_access=True", "--expose-app-in-browser"]
    container = subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    try:
        yield
    finally:
        subprocess.run(["docker", "kill", container], capture_output=True, check=False)


def launch() -> None:
    """Print how long after the start a learner sees the server, and the first chart of lessons 00 and 01."""
    from tools.browser import chromium, open_lab

    began = time.monotonic()
    port = free_port()
    with session(port), chromium() as browser:
        opener = build_opener(ProxyHandler({}))
        while True:
            try:
                opener.open(f"http://127.0.0.1:{port}/api", timeout=5).close()
                break
            except (URLError, OSError):
                if time.monotonic() - began > 120:
                    raise
                time.sleep(0.1)
        print(f"{time.monotonic() - began:6.1f} s  the server answers")
        with open_lab(browser, f"http://127.0.0.1:{port}") as lab:
            print(f"{time.monotonic() - began:6.1f} s  JupyterLab is there")
            for lesson in ("00-start-here", "01-what-is-a-layer"):
                with lab.notebook(f"my-lab/notebooks/{lesson}.ipynb") as (page, _, _):
                    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
                    page.wait_for_selector(".js-plotly-plot .main-svg", state="attached", timeout=120_000)
                    print(f"{time.monotonic() - began:6.1f} s  the first chart of {lesson}")


def main() -> int:
    """Look, make, launch, run all; 1 when something failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.binder", description=__doc__)
    parser.add_argument("--lint", action="store_true", help="only look at what repo2docker prints")
    options = parser.parse_args()
    text = printed()
    missed = wrong(text)
    for what in missed:
        print(f"Not so on Binder: {what}", file=sys.stderr)
    if missed or options.lint:
        return int(bool(missed))
    make(text)
    print(f"image: {human_bytes(size(IMAGE))}, its base {human_bytes(size(base()))} of it")
    launch()
    began = time.monotonic()
    code = subprocess.run(
        ["docker", "run", "--rm", *LIMITS, IMAGE, "python", "-c", ALL], check=False
    ).returncode
    print(f"all: {time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
