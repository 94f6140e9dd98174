from hypothesis import given
from hypothesis import strategies as st

from bluegold.design.blocks import Bullets, Document, Section, Table
from bluegold.design.diagrams import CLASSES, label, png, svg, themed
from bluegold.design.markdown import markdown
from bluegold.design.page import page
from bluegold.design.places import definition_places, plan_places
from bluegold.design.sections.s3_stores import shown_store
from bluegold.design.words import Words

DRAWING = 'flowchart LR\n  a["one"]:::stage --> b["two"]:::gold\n' + CLASSES


def one_page(*blocks):
    section = Section(anchor="a", label="S1", title="T", blocks=blocks)
    return Document(title="x", subtitle="y", lang="en", variant="technical", sections=(section,))


@given(st.text(max_size=60))
def test_no_text_becomes_markup(text):
    html = page(one_page(Bullets(items=(text,)), Table(caption="c", head=("h",), rows=((text,),))), Words("en"))
    body = html[html.index("<main") :]
    for tag in ("<script", "<img", "<iframe", "<style"):
        assert tag not in body.lower()


@given(st.text(max_size=40))
def test_any_label_can_be_drawn(text):
    name = label(text) or "empty"
    assert "<svg" in svg(f'flowchart LR\n  a["x {name}"] --> b["two"]')


def test_a_drawing_is_the_same_every_time_and_a_picture_too():
    assert themed(DRAWING, "n", "two boxes") == themed(DRAWING, "n", "two boxes")
    assert '<title id="n-t">two boxes</title>' in themed(DRAWING, "n", "two boxes")
    assert png(DRAWING).startswith(b"\x89PNG")


def test_a_pipe_in_a_cell_does_not_make_a_column():
    text = markdown(one_page(Table(caption="c", head=("h",), rows=(("a|b",),))), Words("en"))
    assert "| a\\|b |" in text


def test_credentials_of_a_store_are_never_shown():
    assert shown_store("postgresql://ada:secret@host/db") == "postgresql"


def test_places_of_a_definition_that_does_not_parse_are_unknown():
    assert definition_places("class (", "pipeline.py") == {}
    assert plan_places("a: [", "architecture.yaml") == {}
