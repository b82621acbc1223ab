"""`dockerlab build` beside `docker build`: every flag is done or refused by name, and none is ignored."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path

import pytest

from dockerlab import engines
from dockerlab.cli import main
from dockerlab.cli.build_options import REFUSED, add_options
from dockerlab.context.context import Context
from dockerlab.engines.options import BUILDKIT_ONLY, BuildOptions
from tests.fake_engine import FakeEngine

# `docker buildx build --help` of buildx 0.29, and what the legacy `docker build --help` of 28.5 has more.
BUILDX = re.findall(
    r"--[a-z-]+",
    """
    --add-host --allow --annotation --attest --build-arg --build-context --builder --cache-from --cache-to
    --call --cgroup-parent --check --debug --file --iidfile --label --load --metadata-file --network
    --no-cache --no-cache-filter --output --platform --progress --provenance --pull --push --quiet --sbom
    --secret --shm-size --ssh --tag --target --ulimit
    """,
)
LEGACY = re.findall(
    r"--[a-z-]+",
    """
    --compress --cpu-period --cpu-quota --cpu-shares --cpuset-cpus --cpuset-mems --disable-content-trust
    --force-rm --isolation --memory --memory-swap --rm --security-opt
    """,
)
SHORT = {"-f": "--file", "-t": "--tag", "-q": "--quiet", "-o": "--output"}
DOCKERFILE = "FROM scratch\nRUN one\nCOPY two /\n"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Make a fake what every command gets from `choose()`."""
    fake = FakeEngine(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda name=None: (fake, "It is a fake."))
    return fake


@pytest.fixture
def project(tmp_path: Path) -> str:
    """Return a folder with a Dockerfile."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    return str(folder)


def flags() -> dict[str, bool]:
    """Return the flags that `dockerlab build` knows, and whether each is done."""
    parser = ArgumentParser()
    add_options(parser)
    return {flag: one.help != SUPPRESS for one in parser._actions for flag in one.option_strings}


@pytest.mark.parametrize("flag", [*BUILDX, *LEGACY])
def test_each_flag_of_docker_build_is_done_or_refused(flag: str) -> None:
    """A flag of Docker's is in the help, or in the table of those that are refused, and not in both."""
    assert flags()[flag] != (flag in REFUSED)


def test_no_flag_is_refused_that_docker_has_not() -> None:
    """What is refused, and what is handed to BuildKit, is of `docker build`; short forms are Docker's."""
    assert set(REFUSED) | {f"--{flag}" for flag in BUILDKIT_ONLY} <= {*BUILDX, *LEGACY}
    parser = ArgumentParser()
    add_options(parser)
    both = {flag: one.option_strings for one in parser._actions for flag in one.option_strings}
    assert all(long in both[short] for short, long in SHORT.items())


def test_the_list_above_is_that_of_the_buildx_here() -> None:
    """Every flag that the buildx of this machine lists stands in the list above."""
    try:
        said = subprocess.run(
            ["docker", "buildx", "build", "--help"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs docker buildx")
    listed = re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", said.stdout, re.MULTILINE)
    assert len(listed) > 20
    assert set(listed) <= {*BUILDX, "--invoke", "--print", "--root", "--detach", "--server-config"}


@pytest.mark.parametrize("flag", REFUSED)
def test_what_is_refused_is_named_with_its_reason(
    flag: str, engine: FakeEngine, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the flag and says why, with exit code 2, and nothing is built."""
    assert main(["build", f"{flag}=1" if flag not in ("--check", "--push") else flag, project]) == 2
    assert f"{flag} is not done here: {REFUSED[flag]}" in capsys.readouterr().err
    assert engine.seen == []


def test_what_asks_for_nothing_is_taken(engine: FakeEngine, project: str) -> None:
    """--provenance=false, --sbom=false, --load and an --output of type docker are what is done anyway."""
    line = ["--provenance=false", "--sbom", "false", "--load", "--output", "type=docker"]
    assert main(["build", *line, "--progress", "auto", project]) == 0
    assert engine.seen[0]["options"] == BuildOptions()


def test_options_reach_the_engine(engine: FakeEngine, project: str) -> None:
    """Each option is the engine's, however often it is given."""
    line = ["-t", "a:1", "--tag", "b:1", "--label", "k=v=w", "--label", "bare", "--network", "none", "--pull"]
    line += ["--build-context", f"more={project}", "--build-context", "base=docker-image://debian:12"]
    line += ["--no-cache-filter", "one,two", "--no-cache-filter", "three", "--platform", "linux/amd64"]
    line += [part for flag in BUILDKIT_ONLY for part in (f"--{flag}", "x", f"--{flag}", "y")]
    assert main(["build", *line, project]) == 0
    assert engine.seen[0]["tag"] == "a:1"
    assert engine.seen[0]["options"] == BuildOptions(
        tags=("b:1",),
        labels={"k": "v=w", "bare": ""},
        contexts={"more": project, "base": "docker-image://debian:12"},
        network="none",
        no_cache_filter=("one", "two", "three"),
        platform="linux/amd64",
        pull=True,
        buildkit=dict.fromkeys(BUILDKIT_ONLY, ("x", "y")),
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (["--build-context", "more=nowhere"], 1, "There is no folder nowhere to be the build context more."),
        (["--build-context", "more=https://host/x.git"], 2, "it may be a folder, or docker-image://IMAGE"),
        (["--build-context", "more=oci-layout://x"], 2, "it may be a folder, or docker-image://IMAGE"),
        (["--build-context", "more"], 2, "--build-context is NAME=FOLDER, not 'more'."),
        (["--label", "=x"], 2, "--label is NAME=VALUE, not '=x'."),
        (["--network", "container:x"], 2, "invalid choice"),
        (["--progress", "tty"], 2, "--progress=tty is not done here"),
        (["--output", "type=registry"], 2, "it may be local, tar, oci, docker"),
        (["--output", "type=tar"], 2, "--output type=tar needs dest=PATH"),
        (["--output", "type=oci,dest=x,compression=zstd"], 2, "--output compression= is not done here"),
        (["--output", "-", "--json"], 2, "--output and --json cannot both have standard output"),
        (["--frobnicate"], 2, "unrecognized arguments: --frobnicate"),
    ],
)
def test_what_cannot_be_done_is_said(
    line: list[str],
    code: int,
    said: str,
    engine: FakeEngine,
    project: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A value that means nothing here is refused before anything is built."""
    assert main(["build", *line, project]) == code
    assert said in capsys.readouterr().err
    assert engine.seen == []


def test_the_image_is_written_in_each_form(
    engine: FakeEngine, project: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--output writes files, a tar of them, or archives, and --iidfile the id; the image is kept too."""
    out, folder, archive = tmp_path / "new" / "out.tar", tmp_path / "files", tmp_path / "image.tar"
    line = ["-o", f"type=tar,dest={out}", "-o", str(folder), "--output", f"type=oci,dest={archive}"]
    assert main(["build", "-q", "-t", "a:1", *line, "--iidfile", str(tmp_path / "id"), project]) == 0
    identity = engine.kept["a:1"].id
    assert (tmp_path / "id").read_text() == identity == capsys.readouterr().out.strip()
    with tarfile.open(out) as tar:
        names = tar.getnames()
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == sorted(name for name in names if (folder / name).is_file())
    assert len(files) == 2
    assert archive.read_text() == identity
    assert not list(tmp_path.glob("**/.dockerlab-*"))


def test_modes_and_links_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is written has the image's modes, symlinks and hard links, as whoever writes it."""
    embedded = pytest.importorskip("dockerlab.engines.embedded")
    monkeypatch.setattr(engines, "choose", lambda name=None: (embedded.EmbeddedEngine(tmp_path / "home"), ""))
    source = tmp_path / "source"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM scratch\nCOPY --chown=7:7 tree /tree\n")
    (source / "tree").mkdir()
    (source / "tree" / "a").write_text("1")
    (source / "tree" / "a").chmod(0o6775)
    (source / "tree" / "b").hardlink_to(source / "tree" / "a")
    (source / "tree" / "c").symlink_to("/tree/a")
    assert main(["build", "-q", "-o", f"type=local,dest={tmp_path / 'out'}", str(source)]) == 0
    made = tmp_path / "out" / "tree"
    assert (made / "a").stat().st_mode & 0o7777 == 0o6775
    assert (made / "a").stat().st_uid == (made).stat().st_uid
    assert (made / "a").stat().st_nlink == 2
    assert (made / "c").readlink() == Path("/tree/a")


class Input:
    """Standard input, as bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_context_on_standard_input(
    mode: str, engine: FakeEngine, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`build -` takes an archive, packed or not, as the context, and -f names the Dockerfile in it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as tar:  # type: ignore[call-overload]
        tar.add(project, ".")
        info = tarfile.TarInfo("./sub/other")
        info.mode, info.size = 0o664, len(DOCKERFILE)
        tar.addfile(info, io.BytesIO(DOCKERFILE.encode()))
    seen = {}
    real = engine.build

    def build(text: str, **given: object) -> object:
        context = given["context"]
        assert isinstance(context, Context)
        tree = context.tree()
        seen.update({path: node.entry.mode for path in tree if (node := tree.get(path)) is not None})
        return real(text, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "build", build)
    monkeypatch.setattr(sys, "stdin", Input(packed.getvalue()))
    assert main(["build", "-q", "-f", "sub/other", "-"]) == 0
    assert seen["sub/other"] == 0o664
    assert "Dockerfile" in seen


def test_an_archive_that_leads_out_is_refused(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A member below a symlink that leads out of the context is refused, and nothing is written there."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("out/dockerlab-was-here"))
    monkeypatch.setattr(sys, "stdin", Input(packed.getvalue()))
    assert main(["build", "-"]) == 1
    assert "is not a build context" in capsys.readouterr().err
    assert not Path("/tmp/dockerlab-was-here").exists()


def test_a_dockerfile_on_standard_input(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`build -` takes text as the Dockerfile, with nothing to COPY; both at once are refused."""
    monkeypatch.setattr(sys, "stdin", Input(DOCKERFILE.encode()))
    assert main(["build", "--json", "-"]) == 0
    assert [step["text"] for step in json.loads(capsys.readouterr().out)["steps"]] == [
        "RUN one",
        "COPY two /",
    ]
    assert main(["build", "-f", "-", "-"]) == 2
    assert "cannot both come from standard input" in capsys.readouterr().err


def test_a_context_from_the_web_is_refused_by_name(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Git or web address as the context says what to do instead."""
    for address in ("https://github.com/x/y.git", "git@github.com:x/y.git"):
        assert main(["build", address]) == 1
        assert "download it, and give the folder" in capsys.readouterr().err
