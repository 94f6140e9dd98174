"""Packed pages keep rows in their order, whatever packs them: all of an append or none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bluegold.production.results.end_user import PAGE_ROWS, ResultPages

ROWS = 6 * PAGE_ROWS + 7


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    frame = pl.DataFrame({"number": range(ROWS), "score": np.random.default_rng(7).normal(size=ROWS)})
    with ResultPages(tmp_path / "results.db") as pages:
        assert pages.append([frame.head(5), frame.slice(5)]) == 0
        assert pages.append([frame]) == ROWS == pages.rows // 2
        assert pl.concat(pages.frames()).equals(pl.concat([frame, frame]))
        assert pages.row(ROWS + PAGE_ROWS + 3) == frame.row(PAGE_ROWS + 3, named=True)


def test_an_append_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[pl.DataFrame]:
        yield pl.DataFrame({"a": range(3 * PAGE_ROWS)})
        raise KeyError("no more")

    with ResultPages(tmp_path / "results.db") as pages:
        with pytest.raises(KeyError):
            pages.append(broken())
        assert pages.rows == 0
