"""One file as the readers see it: path, scope and text, never more than that."""

from __future__ import annotations

import codecs
import functools
import re

from bluegold.design.scan.signals import Scope

__all__ = ["SourceFile", "becomes", "decode", "scope_of"]

LONGEST_LINE = 4000
_ENDINGS = ("j2", "jinja", "jinja2", "tmpl", "tpl", "tftpl", "mustache")
_TEMPLATE = re.compile(
    r"(?i)(.+\.\w+|.*(?:dockerfile|makefile|jenkinsfile|pipfile)[^/]*)\.(?:j2|jinja2?|tmpl|tpl|tftpl|mustache)"
)

_VENDORED = frozenset(
    [
        *("vendor", "vendored", "_vendor", "third_party", "third-party", "thirdparty", "3rdparty"),
        *("external", "externals", "extern", "submodules", "bower_components", "site-packages"),
        *(
            "dist-packages",
            "_vendored",
        ),
    ]
)
_TESTS = frozenset(
    [
        *("test", "tests", "testing", "unit_tests", "integration_tests", "unittests", "e2e", "__tests__"),
        *("benchmark", "benchmarks", "testdata", "fixtures", "unit-tests", "integration-tests"),
        *("test_data",),
    ]
)
_EXAMPLES = frozenset(
    [
        *("example", "examples", "sample", "samples", "demos", "tutorial", "tutorials", "docs", "doc"),
        *(
            "cookbook",
            "cookbooks",
            "snippets",
        ),
    ]
)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
#: a package of tests named after what it tests; an A/B test is none
_TEST_FOLDER = re.compile(r"(?!ab[_-])\w[\w-]*[_-]tests")
_QUOTED = re.compile(r"""(["'])([^"']{1,300})\1""")
_KEY = re.compile(r"""\s{0,40}["']?([A-Za-z0-9][\w.-]{0,100})["']?\s{0,40}=""")
_TEST_CODE = re.compile(
    r"^[ \t]{0,40}(?:(?:async )?def (?:test|pytest_)|class \w{0,80}Test|(?:import|from) (?:pytest|unittest)\b)",
    re.MULTILINE,
)
_TEST_FILE = re.compile(
    r"(test_.*|.*_test|conftest|tests)\.(py|ipynb)|.*[._-]tests?\.(ya?ml|toml|js|ts|go)|.*_test\.go"
)


class SourceFile:
    """A file that was read.

    Args:
        path: relative to the root, with forward slashes.
        text: its content.
        aside: it belongs to tests or to other people, so that whatever it shows is only mentioned.
    """

    def __init__(self, path: str, text: str, *, aside: bool = False) -> None:
        self.path = path
        self.aside = aside
        self.name = path.rpartition("/")[2]
        self.folder = path.rpartition("/")[0]
        self.text = text

    @functools.cached_property
    def lines(self) -> list[str]:
        """The lines without their ends, each at most 4,000 characters."""
        return [line[:LONGEST_LINE] for line in self.text.split("\n")]

    @functools.cached_property
    def words(self) -> dict[str, int]:
        """Package-like words that are not commented out -> the first line that holds them."""
        first: dict[str, int] = {}
        for number, line in enumerate(self.lines, 1):
            if not line.lstrip().startswith("#"):
                for word in _WORD.findall(line):
                    first.setdefault(word, number)
        return first

    @functools.cached_property
    def quoted(self) -> dict[str, int]:
        """Quoted texts that are not commented out -> the first line that holds them."""
        first: dict[str, int] = {}
        for number, line in enumerate(self.lines, 1):
            if not line.lstrip().startswith("#"):
                for _, text in _QUOTED.findall(line):
                    first.setdefault(text, number)
        return first

    @functools.cached_property
    def keyed(self) -> dict[str, int]:
        """Keys of TOML tables of packages -> their line."""
        first: dict[str, int] = {}
        inside = False
        for number, line in enumerate(self.lines, 1):
            if line.startswith("["):
                inside = "dependencies" in line or "packages" in line
            elif inside and (found := _KEY.match(line)):
                first.setdefault(found[1], number)
        return first

    def live_lines(self) -> list[str]:
        """The lines that are neither empty nor a comment."""
        return [line for line in self.lines if line.strip() and not line.lstrip().startswith(("#", "//", ";", "--"))]

    def line_of(self, offset: int) -> int:
        """The line number, from 1, of a position in the text."""
        return self.text.count("\n", 0, offset) + 1


def becomes(path: str) -> str:
    """The name of a file once it is filled in: a template is read as what it becomes.

    Example:
        >>> becomes("infra/main.tf.j2"), becomes("Dockerfile.tmpl"), becomes("page.j2")
        ('infra/main.tf', 'Dockerfile', 'page.j2')
    """
    found = _TEMPLATE.fullmatch(path) if path.endswith(_ENDINGS) else None
    return found[1] if found else path


def decode(data: bytes) -> str | None:
    """The text of a file, or nothing when it is binary.

    Example:
        >>> decode("torch==2.3".encode("utf-16"))
        'torch==2.3'
        >>> decode(bytes([0, 1, 2])) is None
        True
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data[:8192]:
        return None
    else:
        text = data.decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def scope_of(path: str, vendored: frozenset[str] = frozenset(), text: str | None = None) -> Scope:
    """Whose code a file is, by where it lies.

    Args:
        path: relative path with forward slashes.
        vendored: further folders that hold other people's code (git submodules).
        text: its content; outside a folder of tests, a Python file that is only called a test is a script.

    Example:
        >>> scope_of("tests/test_train.py"), scope_of("src/train.py"), scope_of("third_party/x/train.py")
        ('test', 'main', 'vendored')
    """
    *folders, name = path.lower().split("/")
    if _VENDORED.intersection(folders) or any(path.startswith(folder + "/") for folder in vendored):
        return "vendored"
    if (
        name == "conftest.py"
        or _TESTS.intersection(folders)
        or any(_TEST_FOLDER.fullmatch(folder) for folder in folders)
        or (_TEST_FILE.fullmatch(name) and (text is None or _TEST_CODE.search(text)))
    ):
        return "test"
    if _EXAMPLES.intersection(folders):
        return "example"
    return "main"
