"""Whether Python source is worth parsing: cheap signs without which no reader of it finds anything."""

from __future__ import annotations

import functools
import re

from bluegold.design.scan.index import Index
from bluegold.design.scan.readers.addresses import DIALECT_KEYS, scheme_of

__all__ = ["Interest", "interest"]

#: keywords whose text is an image, a command, a driver or the name of a resource
TELLING = frozenset(
    [
        *("image", "base_image", "image_uri", "container_image", "docker_image", "image_name"),
        *("bash_command", "command", "cmd", "plural", *DIALECT_KEYS),
    ]
)
_IMPORT = re.compile(r"^[ \t]*(?:from|import)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_SEVERAL = re.compile(r"\bimport[ \t]+([\w.]+(?:[ \t]+as[ \t]+\w+)?,[^\n#]{1,500})")
_HEAD = re.compile(r"(?:^|,)\s*([A-Za-z_]\w*)")
#: how a text that may be an address begins
_ADDRESS = re.compile(r"""["']([\w+.:-]{2,50}:/[^\s"']{0,3})""")
_CLASS = re.compile(r"""["']([A-Za-z_]\w*)\.[\w.]+\.[A-Z]\w+["']""")
_DIALECT = re.compile(r"""["'][a-z][a-z0-9]{2,20}\+[a-z]\w{1,20}(?:://)?["']""")
_WORD = re.compile(r"[A-Za-z_]\w*")
_PLAIN = frozenset(
    {"environ", "getenv", "import_module", "__import__", "importorskip", "subprocess", "system", "popen"}
)


class Interest:
    """The signs that the detectors of an index need.

    Args:
        index: the detectors.

    Example:
        >>> from bluegold.design.scan.detector import built_in
        >>> asked = Interest(Index(built_in()))
        >>> asked.shows("import torch"), asked.shows("frame.to_gbq(name)"), asked.shows("ray = light.ray()")
        (True, True, False)
    """

    def __init__(self, index: Index) -> None:
        self._modules = index.modules
        told, bare = index.method_signs
        self._signs = re.compile(
            rf"""\.(?:{told})\s*\(\s*[rf]?["']|\.(?:{bare})\s*\(|\b(?:{"|".join(sorted(TELLING))})\s*=\s*[rf]?["'(\[]"""
            rf"""|\b(?:{index.keyword_signs})["']|["'](?:apiVersion|{"|".join(sorted(DIALECT_KEYS))})["']|\bURL\.create"""
        )
        self._texts = index.texts
        self._calls = index.methods | TELLING | index.settings | {"apiVersion", "URL"}
        self._words = self._modules | self._calls | _PLAIN

    def may_show(self, text: str) -> bool:
        """Whether whole source, with its comments, is worth a second look."""
        return (
            not self._words.isdisjoint(_WORD.findall(text))
            or "://" in text
            or _DIALECT.search(text) is not None
            or any(told in text for told in self._texts)
        )

    def shows(self, code: str) -> bool:
        """Whether code may show a technology; never wrongly false for code without its comments and docstrings."""
        words = self._words.intersection(_WORD.findall(code))
        return (
            not words.isdisjoint(_PLAIN)
            or (not words.isdisjoint(self._modules) and self._imports(code))
            or (not words.isdisjoint(self._calls) and self._signs.search(code) is not None)
            or _DIALECT.search(code) is not None
            or (":/" in code and any(scheme_of(found) for found in _ADDRESS.findall(code)))
            or any(told in code for told in self._texts)
        )

    def _imports(self, code: str) -> bool:
        return (
            not self._modules.isdisjoint(_IMPORT.findall(code))
            or any(not self._modules.isdisjoint(_HEAD.findall(names)) for names in _SEVERAL.findall(code))
            or not self._modules.isdisjoint(_CLASS.findall(code))
        )


@functools.lru_cache(maxsize=4)
def interest(index: Index) -> Interest:
    """The signs of an index, made once."""
    return Interest(index)
