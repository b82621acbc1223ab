"""Advice on images made by hand: what is found, what is left alone, what is never shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dockerlab.analysis.advice import Advice, advise, join
from dockerlab.analysis.advice.base import slimmer
from dockerlab.analysis.advice.finding import Finding
from dockerlab.analysis.advice.order import installs
from dockerlab.dockerfile.parser import parse
from dockerlab.errors import ImageError
from dockerlab.image.image import Image
from tests.tiny_images import Members, stack

KB = 1000
KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n"
DPKG = "var/lib/dpkg/info/"


def codes(advice: Advice) -> list[str]:
    """Return the codes of what was found."""
    return [finding.code for finding in advice.findings]


def one(advice: Advice) -> Finding:
    """Return the only finding."""
    assert len(advice.findings) == 1, codes(advice)
    return advice.findings[0]


def from_lines(
    folder: Path, dockerfile: str, layers: list[Members], *, base: int = 1, hidden: str = ""
) -> Advice:
    """Advise on an image of one base layer and one layer for each RUN, COPY and ADD line below FROM."""
    lines = dockerfile.splitlines()[1:]
    history: list[str | None] = ["base"] * base
    for line in lines:
        keyword, _, rest = line.partition(" ")
        text = f"RUN {hidden}/bin/sh -c {rest}" if keyword == "RUN" else line
        history.append(text if keyword in ("RUN", "COPY", "ADD") else f"-{line}")
    image = stack(folder, layers, history=history, base=base)
    return advise(image, dockerfile=parse(dockerfile))


CACHES: dict[str, str] = {
    "var/lib/apt/lists/some_Packages.lz4": "apt-lists",
    "var/cache/apt/archives/tree_2.deb": "apt-archives",
    "var/cache/apt/pkgcache.bin": "apt-archives",
    "root/.cache/pip/http-v2/a/b": "pip-cache",
    "home/app/.cache/pip/wheels/x": "pip-cache",
    "root/.npm/_cacache/content-v2/x": "npm-cache",
    "usr/local/share/.cache/yarn/v6/x": "npm-cache",
    "var/cache/apk/APKINDEX.tar.gz": "apk-cache",
    "var/cache/dnf/fedora-1/repodata/primary.xml.zst": "dnf-cache",
    "var/cache/yum/x/primary.sqlite": "dnf-cache",
    "var/cache/libdnf5/fedora/solv/fedora.solv": "dnf-cache",
    "var/cache/zypp/packages/x": "zypper-cache",
    "root/.cache/uv/archive/x": "tool-cache",
}


@pytest.mark.parametrize("path", CACHES)
def test_caches_are_found_with_line_and_bytes(tmp_path: Path, path: str) -> None:
    """What a package manager left is found by its path, with the line that left it and its bytes."""
    found = one(from_lines(tmp_path, "FROM debian:12-slim\nRUN install\n", [{"a": 5}, {path: 50 * KB}]))
    assert (found.code, found.lines, found.bytes, found.saves_bytes) == (CACHES[path], (2,), 50 * KB, 50 * KB)
    assert found.evidence[0].what == f"/{path}"


def test_what_the_base_left_is_its_maker_s(tmp_path: Path) -> None:
    """Caches and tools in base layers are no finding: no line of this Dockerfile can change them."""
    base: Members = {
        "var/lib/apt/lists/x": 50 * KB,
        "usr/lib/gcc/cc1": 3000 * KB,
        "root/.cache/pip/x": 90 * KB,
    }
    assert codes(from_lines(tmp_path, "FROM debian:12-slim\nRUN true\n", [base, {}])) == []


def test_small_leftovers_are_not_worth_a_line(tmp_path: Path) -> None:
    """Less than 10 kB of anything is no finding."""
    layers: list[Members] = [{"a": 1}, {"var/lib/apt/lists/x": 9 * KB}, {"a": None}]
    assert codes(from_lines(tmp_path, "FROM debian:12-slim\nRUN install\nRUN rm a\n", layers)) == []


WASTE: dict[str, tuple[str, list[Members], tuple[str, tuple[int, ...], int]]] = {
    "deleted": (
        "RUN make\nRUN rm x\n",
        [{"x": 70 * KB}, {"x": None}],
        ("deleted-later", (2, 3), 70 * KB),
    ),
    "chmod": (
        "COPY x /\nRUN chmod 600 x\n",
        [{"x": 70 * KB}, {"x": 70 * KB}],
        ("stored-again", (2, 3), 70 * KB),
    ),
    "mv": (
        "COPY x /\nRUN mv x y\n",
        [{"x": 70 * KB}, {"x": None, "y": 70 * KB}],
        ("moved-or-copied", (2, 3), 70 * KB),
    ),
    "replaced": (
        "RUN make\nRUN make again\n",
        [{"x": b"1" * 2_000_000}, {"x": b"2" * 2_000_000}],
        ("replaced-later", (2, 3), 2_000_000),
    ),
    "base": ("RUN rm -r base\n", [{"base": None}], ("deleted-base-files", (2,), 2_000_000)),
}


@pytest.mark.parametrize("name", WASTE)
def test_waste_names_both_lines(tmp_path: Path, name: str) -> None:
    """Waste is found with the line that stored, the line that wasted, and the ledger's bytes."""
    text, layers, expected = WASTE[name]
    base: Members = {"base": 2_000_000}
    found = one(from_lines(tmp_path, f"FROM debian:12-slim\n{text}", [base, *layers]))
    assert (found.code, found.lines, found.bytes) == expected
    assert found.saves_bytes == (None if name == "base" else expected[2])


def test_the_change_fits_what_was_done(tmp_path: Path) -> None:
    """A chmod after COPY is mended in the COPY, a chown too; an unpacked archive by a bind mount or ADD."""
    for command, flag in (("chmod 600 x", "--chmod"), ("chown 1000 x", "--chown")):
        text = f"FROM debian:12-slim\nCOPY x /\nRUN {command}\n"
        assert (
            f"COPY {flag}=..." in one(from_lines(tmp_path, text, [{}, {"x": 70 * KB}, {"x": 70 * KB}])).change
        )
    text = "FROM debian:12-slim\nCOPY x.tgz /\nRUN tar xf x.tgz && rm x.tgz\n"
    found = one(from_lines(tmp_path, text, [{}, {"x.tgz": 70 * KB}, {"x.tgz": None}]))
    assert "--mount=type=bind" in found.change


def test_two_installs_are_no_mistake(tmp_path: Path) -> None:
    """What each install writes anew (dpkg's books, logs) is no finding, nor an equal file of two packages."""
    books: Members = {"var/lib/dpkg/status": b"1" * 1_500_000, "usr/share/doc/a/copyright": 40 * KB}
    more: Members = {
        "var/lib/dpkg/status": b"2" * 1_600_000,
        "usr/share/doc/b/copyright": 40 * KB,
        "var/cache/debconf/templates.dat": 80 * KB,
    }
    text = "FROM debian:12-slim\nRUN apt-get install -y a\nRUN apt-get install -y b && cp x y\n"
    first = {**books, "var/cache/debconf/templates.dat": 80 * KB}
    assert codes(from_lines(tmp_path, text, [{}, first, more])) == []


CONTEXT: Members = {
    "app/.git/objects/pack": 50 * KB,
    "app/node_modules/a/x.js": 60 * KB,
    "app/src/__pycache__/m.pyc": 20 * KB,
    "app/debug.log": 30 * KB,
    "app/.venv/pyvenv.cfg": 40,
    "app/.venv/lib/x.py": 45 * KB,
    "app/.mypy_cache/x": 25 * KB,
    "app/main.py": 15 * KB,
}


def test_leftovers_of_the_context_are_found_with_their_ignore_lines(tmp_path: Path) -> None:
    """Each kind of file that .dockerignore should keep out is found, with the line that keeps it out."""
    advice = from_lines(tmp_path, "FROM debian:12-slim\nCOPY . /app\n", [{}, CONTEXT])
    found = {finding.code: (finding.bytes, finding.change.split("`")[1]) for finding in advice.findings}
    assert found == {
        "context-git": (50 * KB, "**/.git"),
        "context-node-modules": (60 * KB, "**/node_modules"),
        "context-pycache": (20 * KB, "**/__pycache__"),
        "context-logs": (30 * KB, "**/*.log"),
        "context-venv": (45 * KB + 40, "**/.venv"),
        "context-caches": (25 * KB, "**/.*_cache"),
    }


@pytest.mark.parametrize("line", ["COPY --from=build /app /app", "RUN npm ci"])
def test_the_same_files_made_by_a_build_are_wanted(tmp_path: Path, line: str) -> None:
    """node_modules and bytecode that a stage or a RUN made are no finding."""
    text = f"FROM debian:12-slim AS build\nRUN x\nFROM debian:12-slim\n{line}\n"
    history: list[str | None] = [
        "base",
        "RUN /bin/sh -c npm ci" if line.startswith("RUN") else "COPY /app /app",
    ]
    wanted = {path: size for path, size in CONTEXT.items() if "node_modules" in path or "pycache" in path}
    advice = advise(stack(tmp_path, [{}, wanted], history=history, base=1), dockerfile=parse(text))
    assert codes(advice) == []


def test_every_byte_is_in_one_finding_at_most(tmp_path: Path) -> None:
    """.git copied and deleted later is one finding, and the savings never exceed what the image holds."""
    text = "FROM debian:12-slim\nCOPY . /app\nRUN rm -r /app/.git\nRUN apt-get update\nRUN rm -r /var/lib\n"
    layers: list[Members] = [
        {},
        CONTEXT,
        {"app/.git": None},
        {"var/lib/apt/lists/x": 90 * KB},
        {"var/lib/apt/lists/x": None},
    ]
    advice = from_lines(tmp_path, text, layers)
    assert codes(advice).count("context-git") == 1
    assert [finding.bytes for finding in advice.findings if finding.code == "deleted-later"] == [90 * KB]
    assert advice.saves_bytes <= advice.book.total


def test_findings_are_ranked_secrets_first_then_by_savings(tmp_path: Path) -> None:
    """A secret comes first whatever its size; the rest by what the change saves."""
    text = "FROM debian:12-slim\nRUN apt-get update\nCOPY . /\nRUN rm big\n"
    layers: list[Members] = [
        {},
        {"var/lib/apt/lists/x": 90 * KB},
        {"id_rsa": KEY, "big": 500 * KB},
        {"big": None},
    ]
    assert codes(from_lines(tmp_path, text, layers)) == ["secret-in-file", "deleted-later", "apt-lists"]


def test_build_tools_by_package(tmp_path: Path) -> None:
    """Packages of compilers and headers are summed by dpkg's lists, those of the base left out."""
    added: Members = {
        f"{DPKG}gcc.list": b"/usr/bin/gcc\n",
        "usr/bin/gcc": 2000 * KB,
        f"{DPKG}libc6-dev:amd64.list": b"/lib/x86_64-linux-gnu/libc.a\n",
        "usr/lib/x86_64-linux-gnu/libc.a": 1000 * KB,
        f"{DPKG}gcc-14-base.list": b"/usr/share/x\n",
        "usr/share/x": 900 * KB,
    }
    base: Members = {f"{DPKG}make.list": b"/usr/bin/make\n", "usr/bin/make": 700 * KB}
    found = one(from_lines(tmp_path, "FROM debian:12-slim\nRUN apt-get install -y gcc\n", [base, added]))
    assert (found.code, found.lines, found.bytes) == ("build-tools", (2,), 3000 * KB)
    assert [(row.what, row.bytes) for row in found.evidence] == [("gcc", 2000 * KB), ("libc6-dev", 1000 * KB)]


def test_build_tools_of_alpine(tmp_path: Path) -> None:
    """apk's database names them there."""
    database = b"P:musl\nF:lib\nR:ld.so\n\nP:gcc\nF:usr/bin\nR:gcc\n\n"
    layers: list[Members] = [
        {"lib/apk/db/installed": b"P:musl\nF:lib\nR:ld.so\n"},
        {"lib/apk/db/installed": database, "usr/bin/gcc": 2000 * KB},
    ]
    found = one(from_lines(tmp_path, "FROM alpine:3\nRUN apk add gcc\n", layers))
    assert (found.code, found.bytes, found.evidence[0].what) == ("build-tools", 2000 * KB, "gcc")


SIBLINGS = {
    "debian:trixie": "debian:trixie-slim",
    "debian": "debian:stable-slim",
    "debian:12": "debian:12-slim",
    "debian:trixie-slim": None,
    "python:3.13": "python:3.13-slim",
    "python": "python:slim",
    "python:3.13-trixie": "python:3.13-slim-trixie",
    "python:trixie": "python:slim-trixie",
    "python:3.13-alpine": None,
    "python:3.13-windowsservercore": None,
    "node:22": "node:22-slim",
    "node:22-trixie": "node:22-trixie-slim",
    "node:22-alpine3.20": None,
    "ubuntu:24.04": None,
    "alpine:3": None,
    "myregistry.example/python:3.13": None,
}


@pytest.mark.parametrize("reference", SIBLINGS)
def test_slimmer_siblings(reference: str) -> None:
    """Only official images with a -slim form have one, spelled as that image spells it."""
    repository, _, tag = reference.rpartition(":") if ":" in reference else (reference, "", "")
    assert slimmer(repository, tag) == SIBLINGS[reference]


def test_a_sibling_at_hand_is_measured(tmp_path: Path) -> None:
    """With the slim image at hand the saving is measured; without it, it says that it is not."""
    image = stack(tmp_path, [{"a": 90 * KB}, {}], history=["base", "RUN /bin/sh -c true"], base=1)
    dockerfile = parse("ARG V=3.13\nFROM python:${V}\nRUN true\n")
    found = one(advise(image, dockerfile=dockerfile))
    assert (found.code, found.lines, found.bytes, found.saves_bytes) == ("slimmer-base", (2,), 90 * KB, None)
    assert "not measured" in found.note
    (tmp_path / "slim").mkdir()
    slim = stack(tmp_path / "slim", [{"a": 30 * KB}])
    asked: list[str] = []

    def held(reference: str) -> Image:
        asked.append(reference)
        return slim

    assert one(advise(image, dockerfile=dockerfile, find_image=held)).saves_bytes == 60 * KB
    assert asked == ["python:3.13-slim"]
    assert codes(advise(image, dockerfile=dockerfile, find_image=lambda _: image)) == []


def test_a_compiler_s_image_is_for_a_build_stage(tmp_path: Path) -> None:
    """golang as the last base is found, as the base of a build stage it is right."""
    image = stack(tmp_path, [{"a": 90 * KB}, {}], history=["base", "COPY a b"], base=1)
    assert codes(advise(image, dockerfile=parse("FROM golang:1.23\nCOPY a b\n"))) == ["toolchain-base"]
    staged = "FROM golang:1.23 AS b\nRUN x\nFROM debian:12-slim\nCOPY --from=b a b\n"
    assert codes(advise(image, dockerfile=parse(staged))) == []


SECRETS: dict[str, tuple[str, str]] = {
    "RUN |1 NPM_TOKEN=hunter2hunter2 /bin/sh -c npm ci # buildkit": ("secret-in-arg", "hunter2"),
    "|2 A=1 DB_PASSWORD=hunter2 /bin/sh -c make": ("secret-in-arg", "hunter2"),
    "-ENV API_KEY=hunter2hunter2": ("secret-in-env", "hunter2"),
    "-/bin/sh -c #(nop)  ENV SECRET_KEY=hunter2": ("secret-in-env", "hunter2"),
    "-ARG GITHUB_TOKEN=hunter2hunter2": ("secret-in-arg", "hunter2"),
    "RUN /bin/sh -c curl https://joe:hunter2@example.com/x": ("secret-in-history", "hunter2"),
    "RUN /bin/sh -c curl -H 'Authorization: Bearer hunter2hunter2'": ("secret-in-history", "hunter2"),
    "RUN /bin/sh -c aws configure set k AKIAIOSFODNN7HUNTER2": ("secret-in-history", "AKIAIOSFODNN7HUNTER2"),
}


@pytest.mark.parametrize("record", SECRETS)
def test_secrets_in_history_are_found_and_not_shown(tmp_path: Path, record: str) -> None:
    """A secret in a history row is found, and its value is nowhere in what is shown."""
    code, value = SECRETS[record]
    advice = advise(stack(tmp_path, [{}] if not record.startswith("-") else [], history=[record]))
    assert codes(advice) == [code]
    assert value not in json.dumps([finding.to_dict() for finding in advice.findings])


@pytest.mark.parametrize(
    "record",
    [
        "-ENV GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305 PYTHON_SHA256=abc",
        "-ENV PASSWORD_FILE=/run/secrets/db DB_PASSWORD=/run/secrets/db API_TOKEN=$TOKEN",
        "-ARG NPM_TOKEN",
        "-ARG NPM_TOKEN=",
        "-ENV MAX_TOKEN=4096 USE_TOKEN=true TOKEN_URL=https://example.com/t",
        "RUN /bin/sh -c curl https://$USER:$PASSWORD@example.com/ https://example.com:8080/a@b",
        'RUN /bin/sh -c curl -H "Authorization: Bearer $TOKEN" x',
    ],
)
def test_what_only_sounds_secret_is_none(tmp_path: Path, record: str) -> None:
    """Names without values, file names, references, numbers and public keys are no finding."""
    assert codes(advise(stack(tmp_path, [{}] if not record.startswith("-") else [], history=[record]))) == []


FILES: dict[str, tuple[bytes, str | None]] = {
    "root/.ssh/id_rsa": (KEY, "secret-in-file"),
    "srv/tls.key": (KEY.replace(b"OPENSSH ", b""), "secret-in-file"),
    "srv/public.pem": (b"-----BEGIN CERTIFICATE-----\n", None),
    "usr/lib/python3/dist-packages/test/key.pem": (KEY, None),
    "root/.npmrc": (b"//registry/:_authToken=abc\n", "secret-in-file"),
    "app/.npmrc": (b"//registry/:_authToken=${NPM_TOKEN}\n", None),
    "root/.netrc": (b"machine a login b password c\n", "secret-in-file"),
    "root/.aws/credentials": (b"[default]\naws_secret_access_key = abc\n", "secret-in-file"),
    "root/.docker/config.json": (b'{"auths": {"r": {"auth": "YWJj"}}}', "secret-in-file"),
    "root/.git-credentials": (b"https://a:b@example.com\n", "secret-in-file"),
    "app/.env": (b"A=1\n", "env-file"),
    "app/.env.example": (b"A=1\n", None),
}


@pytest.mark.parametrize("path", FILES)
def test_secret_files_are_known_by_name_and_content(tmp_path: Path, path: str) -> None:
    """A file is a finding when its name and its content say so, with the bytes it has."""
    content, code = FILES[path]
    advice = from_lines(tmp_path, "FROM debian:12-slim\nCOPY . /\n", [{}, {path: content}])
    assert codes(advice) == ([code] if code else [])


def test_a_secret_deleted_later_is_still_there(tmp_path: Path) -> None:
    """A key that a later line deletes is found in the layer that keeps it, with both lines."""
    text = "FROM debian:12-slim\nCOPY id_rsa /\nRUN rm id_rsa\n"
    found = one(from_lines(tmp_path, text, [{}, {"id_rsa": KEY}, {"id_rsa": None}]))
    assert (found.code, found.lines) == ("secret-in-deleted-file", (2, 3))


INSTALLS: dict[str, tuple[str, ...]] = {
    "pip install -r requirements.txt": ("pip",),
    "pip3 install --no-cache-dir flask && pip install .": ("pip",),
    "python -m pip install -r r.txt": ("pip",),
    "pip install .": (),
    "pip install -e .": (),
    "pip install ./a.whl b.whl": (),
    "cd x && NODE_ENV=production npm ci": ("npm",),
    "npm run build": (),
    "yarn": ("yarn",),
    "yarn build": (),
    "apt-get update && apt-get install -y tree": ("apt",),
    "apt-get install -y ./x.deb": (),
    "go build ./...": (),
    "go mod download": ("go",),
    "make install": (),
    "echo npm install": (),
}


@pytest.mark.parametrize("command", INSTALLS)
def test_which_commands_fetch_packages(command: str) -> None:
    """An install of what is not in the context is told from a build of what is."""
    assert installs(parse(f"FROM x\nRUN {command}\n").stages[0].instructions[0]) == INSTALLS[command]


ORDERS: dict[str, tuple[int, ...] | None] = {
    "COPY . .\nRUN pip install -r requirements.txt\n": (2, 3),
    "COPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .\n": None,
    "COPY package.json ./\nRUN npm ci\nCOPY . .\nRUN npm ci --omit=dev\n": None,
    "COPY . .\nRUN pip install .\n": None,
    "COPY --from=other . .\nRUN pip install flask\n": None,
    "COPY src/ /src\nRUN apt-get install -y tree\n": (2, 3),
}


@pytest.mark.parametrize("text", ORDERS)
def test_copy_before_install(tmp_path: Path, text: str) -> None:
    """A COPY of sources above an install is found, one of the manifest alone is right."""
    layers: list[Members] = [{}, *({} for line in text.splitlines())]
    found = from_lines(tmp_path, f"FROM debian:12-slim\n{text}", layers).findings
    assert [finding.lines for finding in found] == ([ORDERS[text]] if ORDERS[text] else [])
    assert all(finding.seconds is None and "not measured" in finding.note for finding in found)


CHANGES: dict[str, str] = {
    "COPY . /app\nRUN pip install -r /app/requirements/prod.txt\n": "(`requirements/prod.txt`)",
    "WORKDIR /app\nCOPY . .\nRUN npm ci && npm run build\n": "(`COPY package*.json ./`), give it",
    "COPY . /app\nRUN npm install -g typescript\n": "Move the install above line 2",
    "COPY . /app\nRUN apt-get install -y git $(cat /app/list)\n": "Copy only what the install reads",
}


@pytest.mark.parametrize("text", CHANGES)
def test_the_change_of_order_fits_the_install(tmp_path: Path, text: str) -> None:
    """It names the list that the install reads, the usual ones where it names none, or none at all."""
    layers: list[Members] = [{}, *({} for line in text.splitlines() if not line.startswith("WORKDIR"))]
    assert CHANGES[text] in one(from_lines(tmp_path, f"FROM debian:12-slim\n{text}", layers)).change


def test_instructions_shown_hide_their_secrets(tmp_path: Path) -> None:
    """The RUN shown as evidence has its password taken out."""
    text = "FROM debian:12-slim\nCOPY . .\nRUN pip install --index-url https://a:hunter2@example.com/ flask\n"
    assert "hunter2" not in json.dumps(from_lines(tmp_path, text, [{}, {}, {}]).to_dict())


def test_many_layers(tmp_path: Path) -> None:
    """From 100 layers on the limits are named; 99 are no finding."""
    assert codes(advise(stack(tmp_path, [{}] * 99))) == []
    assert codes(advise(stack(tmp_path, [{}] * 100))) == ["many-layers"]


def test_a_foreign_dockerfile_is_refused(tmp_path: Path) -> None:
    """An image is not judged by lines it was not made from."""
    image = stack(tmp_path, [{}, {}], history=["base", "RUN /bin/sh -c make"], base=1)
    with pytest.raises(ImageError, match="line 2 is not in the history"):
        advise(image, dockerfile=parse("FROM x\nRUN something else\n"))


def test_base_layers_are_told_by_the_dockerfile(tmp_path: Path) -> None:
    """An archive that does not say which layers are the base's is read right with its Dockerfile."""
    layers: list[Members] = [{"root/.cache/pip/x": 90 * KB}, {"var/lib/apt/lists/x": 70 * KB}]
    image = stack(tmp_path, layers, history=["ADD rootfs /", "RUN /bin/sh -c apt-get update"])
    assert codes(advise(image)) == ["pip-cache", "apt-lists"]
    assert codes(advise(image, dockerfile=parse("FROM x\nRUN apt-get update\n"))) == ["apt-lists"]


def test_hadolint_is_joined_not_repeated() -> None:
    """A rule about what is measured is named in that finding, or left out; other rules follow."""
    mine = Finding(code="apt-lists", title="a", change="b", lines=(2,))
    rules = [
        Finding(code=code, title="t", change="c", source="hadolint")
        for code in ("DL3009", "DL3042", "DL3008")
    ]
    joined = join([mine], rules)
    assert joined == (replace(mine, also=("DL3009",)), rules[2])
