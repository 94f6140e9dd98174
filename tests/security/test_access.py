"""Roles and the four-eyes rule."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from bluegold.core.errors import AccessDenied, DefinitionError
from bluegold.security.access import AUTOMATIC, ROLES, Access, Action, is_automatic, require_other

ACTIONS = get_args(Action)


def test_every_action_can_be_done_by_somebody_and_approving_never_by_a_machine() -> None:
    assert set().union(*ROLES.values()) == set(ACTIONS)
    assert "approve" not in ROLES["automatic"]
    for role, actions in ROLES.items():
        assert not {"register", "approve"} <= actions, f"a {role} could approve what it made"


@pytest.mark.parametrize("role", sorted(ROLES))
@pytest.mark.parametrize("action", ACTIONS)
def test_exactly_the_table_is_allowed(role: str, action: Action) -> None:
    access = Access({"ada": (role,)})  # type: ignore[dict-item] # parametrised over the table's own keys
    if action in ROLES[role]:  # type: ignore[index] # the same
        access.require("ada", action)
    else:
        with pytest.raises(AccessDenied, match=f"may not {action}"):
            access.require("ada", action)


def test_without_assignments_people_may_do_everything_and_machines_only_their_part() -> None:
    access = Access()
    for action in ACTIONS:
        access.require("ada", action)
    assert access.roles("automatic:watch") == ("automatic",)
    with pytest.raises(AccessDenied):
        access.require(AUTOMATIC, "approve")
    with pytest.raises(AccessDenied):
        access.require("", "gate")


def test_an_unknown_person_only_reads_where_roles_are_assigned() -> None:
    with pytest.raises(AccessDenied, match="are reader"):
        Access({"ada": ("operator",)}).require("eve", "gate")


@pytest.mark.parametrize("actor", ["ada", "Ada", " ada ", "automatic", "automatic:x"])
def test_nobody_approves_their_own_work(actor: str) -> None:
    with pytest.raises(AccessDenied):
        require_other("ada", actor, "m:v1")


def test_names_that_only_begin_alike_are_no_machines() -> None:
    assert not is_automatic("automatica")


@pytest.mark.parametrize("text", ["[]", "{", '{"ada": "developer"}', '{"ada": ["king"]}'])
def test_a_file_that_says_nothing_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "access.json"
    path.write_text(text)
    with pytest.raises(DefinitionError, match="who may do what"):
        Access.read(path)
    path.write_text('{"ada": ["developer", "validator"]}')
    assert Access.read(path).roles("ada") == ("developer", "validator")
