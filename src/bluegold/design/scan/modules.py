"""The repository's own modules: a name that a local file answers to is no library."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["LocalModules"]


class LocalModules:
    """Which dotted names are files of the repository, seen from a given file.

    Args:
        paths: every path of the repository, relative, with forward slashes.

    Example:
        >>> local = LocalModules(["ray.py", "app/main.py", "mlflow/Dockerfile"])
        >>> local.shadows("ray.serve", "app/main.py"), local.shadows("mlflow", "app/main.py")
        (True, False)
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        roots = {"", "src", "lib"}
        for path in paths:
            folder, _, name = path.rpartition("/")
            if name.endswith((".py", ".pyi", ".ipynb")):
                self._files.add(path)
                while folder and folder not in self._folders:
                    self._folders.add(folder)
                    folder = folder.rpartition("/")[0]
            elif name in {"pyproject.toml", "setup.cfg"}:
                roots.update((folder, f"{folder}/src" if folder else "src"))
            if name == "setup.py":
                roots.add(folder)
        self._roots = tuple(sorted(roots))
        self._heads: dict[tuple[str, str], bool] = {}

    def shadows(self, name: str, path: str, *, inside: bool = False) -> bool:
        """Whether ``name``, imported in ``path``, is the repository's own module.

        ``inside`` says that something within a package is imported: a plain module has nothing inside.
        """
        parts = name.split(".")
        for root in (*self._above(path), *self._roots):
            base = f"{root}/{parts[0]}" if root else parts[0]
            if f"{base}.py" in self._files and f"{base}.py" != path and not inside:
                return True
            if f"{base}/__init__.py" in self._files:
                return True
            # a folder without __init__.py loses to an installed library, unless it holds the very module asked for
            if len(parts) > 1 and base in self._folders:
                inner = f"{base}/{parts[1]}"
                if f"{inner}.py" in self._files or inner in self._folders:
                    return True
        return False

    def beside(self, name: str, path: str) -> bool:
        """Whether a module of that name lies beside ``path`` in the same package.

        Python finds it when the file is run as a script and finds the library when it is imported; the name alone
        cannot tell.
        """
        folder = path.rpartition("/")[0]
        head, *inner = name.split(".")
        base = f"{folder}/{head}" if folder else head
        if f"{folder}/__init__.py" not in self._files:
            return False
        if inner:  # a plain module has nothing inside
            return f"{base}/{inner[0]}.py" in self._files or f"{base}/{inner[0]}" in self._folders
        return (f"{base}.py" in self._files and f"{base}.py" != path) or f"{base}/__init__.py" in self._files

    def _above(self, path: str) -> list[str]:
        """The folders above a file that Python would search: those that are no packages themselves."""
        found = []
        folder = path.rpartition("/")[0]
        while folder:
            if f"{folder}/__init__.py" not in self._files:
                found.append(folder)
            folder = folder.rpartition("/")[0]
        return found
