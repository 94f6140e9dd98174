"""Spanish: a design without words of its own holds no English sentence, in any of its texts."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from bluegold.core.plan import Ensemble, ExperimentPlan, Plan, Rollout
from bluegold.design.document import document
from bluegold.design.words import Words

BASES = runpy.run_path(str(Path(__file__).parent / "repositories.py"))
ENGLISH = re.compile(r"\b(the|and|of|is|are|with|that|which|from|every|each|not|this|when|has|by|for|to)\b")


def english(text: str) -> list[str]:
    """Sentences and cells outside code that hold two different little words of English."""
    prose = re.sub(r"`[^`]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    parts = re.split(r"\||\n|(?<=\.)\s", prose)
    return [part.strip() for part in parts if len(set(ENGLISH.findall(part.lower()))) > 1]


def test_the_check_finds_english() -> None:
    assert english("| Hola | the end of it |\n`the end of it`") == ["the end of it"]


@pytest.mark.parametrize("variant", ["technical", "executive"])
def test_no_english_sentence_is_left(tmp_path: Path, variant: str) -> None:
    plan = Plan(
        system="pedidos",
        ensemble=Ensemble(members=("v1", "v2"), weights="fitted"),
        rollout=Rollout(experiment=ExperimentPlan(metric="outcome", better="fewer", decides="promote")),
    )
    document(plan, None, tmp_path, fmt="markdown", lang="es", variant=variant)
    texts = {path.name: path.read_text() for path in sorted(tmp_path.rglob("*.md"))}
    assert len(texts) > 10
    assert {name: found for name, text in texts.items() if (found := english(text))} == {}
    whole = "\n".join(texts.values())
    assert "[Requiere input adicional: " in whole
    assert "**Experimento:** menos resultados positivos" in whole
    assert "Requiere instrumentación" in whole
    assert "Needs in" not in whole


@pytest.mark.parametrize("variant", ["technical", "executive"])
@pytest.mark.parametrize("base", ["BIKES", "ORDERLY"])
def test_no_english_sentence_tells_of_what_a_scan_found(tmp_path: Path, base: str, variant: str) -> None:
    repo = BASES["grow"](BASES[base], tmp_path / "repo")
    document(Plan(system="pedidos"), None, tmp_path / "out", fmt="markdown", lang="es", variant=variant, repo=repo)
    texts = {path.name: path.read_text() for path in sorted((tmp_path / "out").rglob("*.m*d"))}
    assert {name: found for name, text in texts.items() if (found := english(text))} == {}
    whole = "\n".join(texts.values())
    assert "El sistema tal como es" in whole
    labels = {label for text in texts.values() for label in re.findall(r'"([^"]+)"', text)}
    assert labels.isdisjoint({"model", "no registry", "no way back", "signed version"})


def test_parts_are_said_and_names_stay() -> None:
    words = Words("es")
    assert words.pieces("**Decision**: none yet; `open` [E-01]") == "**Decisión**: ninguna aún; `open` [E-01]"
    assert words.pieces("4 risks were found, 2 of them high.") == "Se encontraron 4 riesgos, 2 de ellos altos."
    assert words.pieces("mlflow, airflow") == "mlflow, airflow"
    assert Words("en").pieces("none yet") == "none yet"
