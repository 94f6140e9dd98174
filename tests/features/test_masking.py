"""Masking: a frame and a row get the same pseudonyms, and what the contract refuses stays refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import bluegold as bg
from bluegold.core.errors import DefinitionError, FieldError
from bluegold.features.masking import Masker, masked
from bluegold.features.program import fit_program
from bluegold.features.row import RowProgram
from bluegold.security.pseudonyms import Pseudonyms


class Payment(bg.Contract):
    "One payment."

    account: str = bg.text(max_length=12, financial_id=True)
    shop: str = bg.category(personal=True)
    amount: float = bg.number(ge=0)


ROWS = pl.DataFrame(
    {"account": ["ES91", "ES92", "a number too long"], "shop": ["x", "y", "x"], "amount": [1.0, 2.0, 3.0]}
)


def test_a_frame_and_a_row_agree(tmp_path: Path) -> None:
    table = pl.DataFrame({"account": ["ES91"], "limit": [5.0]})
    data = masked(Payment.spec, bg.Data(ROWS.with_columns(late=pl.Series([0, 1, 0])), {"limits": table}), tmp_path)
    text = data.rows.write_json() + data.tables["limits"].write_json()
    assert "ES9" not in text
    assert "too long" not in text
    assert data.tables["limits"]["account"][0] == data.rows["account"][0]
    system = bg.System("payments", contract=Payment, target=pl.col("late") > 0)
    system.use("amount", "shop")
    program = fit_program(system, data.rows.head(2), {})
    cleaned = program.clean(data.rows)
    assert cleaned.valid.height == 2, "a value that is too long is refused in training as in serving"
    row = RowProgram(program)
    masker = Masker(program.contract, Pseudonyms.open(tmp_path))
    [body] = row.decode(b'{"account": "ES92", "shop": "y", "amount": 2}')
    assert masker.row(body) == {"account": "ES92", "shop": "y"}
    values, flags = row.clean(body)
    assert (values["account"], flags) == (data.rows["account"][1], ())
    assert row.vector(values, None) == program.matrix(program.features(cleaned.valid, {}))[1].tolist()
    [body] = row.decode(b'{"account": "a number too long", "shop": "y", "amount": 2}')
    with pytest.raises(FieldError, match="account"):
        masker.row(body)


def test_levels_and_a_mark_exclude_each_other() -> None:
    with pytest.raises(DefinitionError, match="lists levels"):
        bg.category("x", "y", personal=True)


def test_what_is_not_marked_is_left_alone(tmp_path: Path) -> None:
    class Plain(bg.Contract):
        amount: float = bg.number()

    data = bg.Data(pl.DataFrame({"amount": [1.0]}))
    assert masked(Plain.spec, data, tmp_path / "keys") is data
    assert not (tmp_path / "keys").exists()
