from __future__ import annotations

from collections.abc import Iterator

import pytest

from dockerlab import engines
from dockerlab.checks.serving import Answer, ask
from dockerlab.context.context import Context
from dockerlab.errors import DockerlabError

SERVER = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Echo(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()
        self.wfile.write(self.path.encode())


HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Echo).serve_forever()
"""
BASE = "FROM python:3.13-slim\nCOPY server.py /\n"
TAG = "dockerlab/test-serving:answer"


@pytest.fixture(scope="module", autouse=True)
def base() -> Iterator[None]:
    """Ready the base, and forget the image that the tests name."""
    engine, _ = engines.choose()
    try:
        engine.build("FROM python:3.13-slim\n", tag=TAG)
    except DockerlabError as error:
        pytest.skip(f"there is no python:3.13-slim here: {error}")
    yield
    engine.remove(TAG)


def asked(ending: str, *paths: str) -> list[Answer]:
    """Build a server's image with this last line and ask it."""
    engine, _ = engines.choose()
    return ask(engine.build(BASE + ending, context=Context.files({"server.py": SERVER}), tag=TAG), *paths)


@pytest.mark.parametrize(
    "ending",
    [
        'CMD ["python", "/server.py"]',
        "CMD python /server.py",
        'ENTRYPOINT ["python"]\nCMD ["/server.py"]',
    ],
)
def test_the_image_is_started_with_its_own_command(ending: str) -> None:
    """CMD in both forms and ENTRYPOINT start the app, which is asked for one path after another."""
    assert asked(ending, "/a", "/broken", "/b") == [
        Answer(200, "/a"),
        Answer(500, "/broken"),
        Answer(200, "/b"),
    ]


def test_an_app_that_ends_gives_what_it_printed() -> None:
    """A command that does not serve gives one answer with status 0 and its output."""
    [answer] = asked('CMD ["python", "-c", "print(\'no server\')"]', "/")
    assert answer.status == 0
    assert "no server" in answer.body


def test_a_command_that_is_not_there_is_told() -> None:
    """A command that cannot be started gives status 0, and the text says which one."""
    [answer] = asked('CMD ["/nothing"]', "/")
    assert answer.status == 0
    assert "/nothing" in answer.body


def test_python_may_have_any_name_and_place() -> None:
    """An image whose Python is called python3, with an entry point and a user, is asked all the same."""
    engine, _ = engines.choose()
    text = (
        f"{BASE}RUN rm /usr/local/bin/python && useradd -r web\nUSER web\n"
        'ENTRYPOINT ["/usr/local/bin/python3"]\nCMD ["/server.py"]\n'
    )
    first = engine.build(text, context=Context.files({"server.py": SERVER}), tag=TAG)
    engine.build(BASE, context=Context.files({"server.py": SERVER}), tag=TAG)  # its name is another's now
    assert ask(first, "/a") == [Answer(200, "/a")]


def test_an_image_without_python_is_told() -> None:
    """An image that has none cannot be asked, and the answer says so."""
    engine, _ = engines.choose()
    built = engine.build('FROM scratch\nCMD ["/a"]\n', tag=TAG)
    assert ask(built, "/") == [Answer(0, "there is no Python in the image")]


def test_a_long_answer_is_cut_with_a_mark() -> None:
    """In a verdict an answer is its status and the last line of its body, with dots where it was cut."""
    assert str(Answer(200, "head\n<p>ok</p>\n")) == "status 200: <p>ok</p>"
    assert str(Answer(0, "")) == "status 0: nothing"
    assert str(Answer(200, "x" * 200)) == f"status 200: {'x' * 79}…"
