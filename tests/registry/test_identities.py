"""Users, keys, reviews and approvals: a name alone changes nothing, a clock put back revives nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec
import pytest

from bluegold.core.errors import AccessDenied, DefinitionError, ForbiddenTransition, RegistryError
from bluegold.core.nouns import ModelVersion, TrafficSplit, now
from bluegold.core.plan import Governance, Plan
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.security.identities import Identities

Add = Callable[..., ModelVersion]


def plan(**governance: object) -> bytes:
    human = Governance(approval="human", **governance)  # type: ignore[arg-type] - the keywords are the test's own
    return msgspec.json.encode(Plan(system="flights", regulated=True, governance=human))


def test_once_there_are_users_a_name_without_its_key_changes_nothing(space: Workspace) -> None:
    with Registry.open(space, actor="sue") as registry:
        with pytest.raises(RegistryError, match="could let nobody else in"):
            registry.users.add("ben", ("validator",))
        _, sue = registry.users.add("sue", ("security officer",))
        with pytest.raises(AccessDenied, match="no key was given"):
            registry.users.add("eve", ("operator",))
    with Registry.open(space, actor="sue", key=sue) as registry:
        _, ben = registry.users.add("ben", ("validator",))
        with pytest.raises(RegistryError, match="there is a user"):
            registry.users.add("BEN", ("operator",))
        with pytest.raises(AccessDenied, match="the key is that of 'sue'"):
            registry.access.require("ben", "approve")
        with pytest.raises(RegistryError, match="last who can let others in"):
            registry.users.revoke("sue")
        identities = Identities.open(space)
        found = identities.identify(ben)
        assert found is not None
        assert (found.name, found.roles, found.may("approve"), found.may("personal")) == (
            "ben",
            ("validator",),
            True,
            False,
        )
        registry.users.revoke("ben")
        assert identities.identify(ben) is None
        assert sue.rpartition("_")[2] not in (space.root / "users.json").read_text()
        assert registry.audit.verify().ok


def test_a_forged_or_removed_file_of_users_is_replaced_and_recorded(space: Workspace) -> None:
    with Registry.open(space, actor="sue") as registry:
        registry.users.add("sue", ("security officer",))
        path = space.root / "users.json"
        whole = path.read_bytes()
        for spoil in (lambda: path.write_bytes(whole.replace(b"security officer", b"operator")), path.unlink):
            spoil()
            with pytest.raises(AccessDenied, match="no key was given"):
                registry.access.require("eve", "promote")
            assert path.read_bytes() == whole
        assert [e.action for e in registry.audit.events(subject="users.json")] == ["replace users file"] * 2


def test_approvals_expire_and_a_clock_put_back_revives_none(
    registry: Registry, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = add("Canary", plan_json=plan(approvals=1, valid_for="30d"))
    registry.approvals.approve(version.ref, "ben")
    assert registry.approvals.standing(version.ref).missing == ""
    monkeypatch.setattr("bluegold.registry.audit.now", lambda: now() + dt.timedelta(days=31))
    with pytest.raises(ForbiddenTransition, match="1 more expired after 30d"):
        registry.promote(version.ref)
    monkeypatch.undo()
    with pytest.raises(ForbiddenTransition, match="expired"):
        registry.promote(version.ref)
    registry.approvals.approve(version.ref, "ben", "looked again")
    assert registry.promote(version.ref).blue == version.ref
    assert registry.audit.verify().ok


def test_a_no_stops_a_promotion_until_the_same_person_consents(registry: Registry, add: Add) -> None:
    version = add("Canary", plan_json=plan(approvals=1))
    registry.approvals.approve(version.ref, "ben")
    proof = registry.reviews.attach("slice.csv", b"group,accuracy\n")
    registry.reviews.add(version.ref, "worse for EWR", "reject", actor="cy", evidence=[proof])
    with pytest.raises(ForbiddenTransition, match="cy said no"):
        registry.promote(version.ref)
    with pytest.raises(AccessDenied, match="only a person"):
        registry.reviews.add(version.ref, "fine", actor="automatic")
    assert registry.reviews.attachment(registry.reviews.list(version.ref)[0].evidence[0]) == b"group,accuracy\n"
    registry.approvals.approve(version.ref, "cy", "explained")
    assert registry.promote(version.ref).blue == version.ref


def test_only_the_roles_that_the_plan_names_count(space: Workspace) -> None:
    roles = {"ada": ["developer", "operator"], "val": ["validator"], "com": ["compliance officer"]}
    (space.root / "access.json").write_bytes(msgspec.json.encode(roles))
    lineage = _lineage()
    with Registry.open(space, actor="ada") as registry:
        governed = plan(approvals=1, of_roles=("compliance officer",))
        version = registry.versions.register("m", {"plan.json": governed}, lineage, {})
        registry.approvals.approve(version.ref, "val")
        assert "1 approval(s) of compliance officer" in registry.approvals.standing(version.ref).missing
        registry.approvals.approve(version.ref, "com")
        assert registry.approvals.standing(version.ref).missing == ""


def _lineage() -> object:
    from bluegold.core.nouns import Lineage

    return Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})


def test_a_token_of_an_openid_provider(space: Workspace) -> None:
    jwt = pytest.importorskip("jwt")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    public = jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "1", "use": "sig"}
    config = {"issuer": "https://id", "audience": "bluegold", "roles": {"risk": "validator"}}
    (space.root / "jwks.json").write_bytes(msgspec.json.encode({"keys": [public]}))
    (space.root / "oidc.json").write_bytes(msgspec.json.encode(config))
    identities = Identities.open(space)
    soon = now() + dt.timedelta(minutes=5)
    good = {"iss": "https://id", "aud": "bluegold", "sub": "val", "exp": soon, "groups": ["risk", "sales"]}

    def token(signer: object = key, algorithm: str = "EdDSA", **changes: object) -> str:
        text: str = jwt.encode(good | changes, signer, algorithm=algorithm, headers={"kid": "1"})
        return text

    found = identities.identify(token())
    assert found is not None
    assert (found.name, found.roles) == ("val", ("validator",))
    stranger = identities.identify(token(groups=["sales"]))
    assert stranger is not None
    assert stranger.roles == ("reader",)
    forged = [
        token(other),
        token(iss="https://evil"),
        token(aud="somebody"),
        token(exp=now() - dt.timedelta(minutes=5)),
        token(sub="automatic:x"),
        token(None, "none"),
        token(str(public["x"]) * 2, "HS256"),
    ]
    assert [identities.identify(one) for one in forged] == [None] * len(forged)


def test_what_acts_automatically_needs_a_key_too_except_on_the_way_to_safety(space: Workspace) -> None:
    with Registry.open(space, actor="automatic") as registry:
        registry.access.require("automatic", "promote")  # nobody is known here yet
        _, sue = registry.users.add("sue", ("security officer",), actor="sue")
    with Registry.open(space, actor="sue", key=sue) as registry:
        _, robot = registry.users.add("automatic:nightly", ("automatic",))
        _, dev = registry.users.add("dev", ("developer",))
        for name, role in (("automatic", "operator"), ("nightly", "automatic"), ("Automatic:x", "automatic")):
            with pytest.raises(DefinitionError):
                registry.users.add(name, (role,))  # type: ignore[arg-type] - the words of the table
    with Registry.open(space, actor="automatic:watch") as registry:
        registry.access.require("automatic:watch", "restore")
        with pytest.raises(AccessDenied, match="no key was given"):
            registry.access.require("automatic:watch", "traffic")
        with pytest.raises(AccessDenied, match="name alone changes nothing"):
            registry.act_as("automatic")
    with Registry.open(space, actor="automatic:nightly", key=robot) as registry:
        assert registry.act_as("", robot) == "automatic:nightly"
        registry.access.require("automatic:nightly", "promote")
        for never in ("approve", "review", "configure", "register"):
            with pytest.raises(AccessDenied, match=f"may not {never}"):
                registry.access.require("automatic:nightly", never)  # type: ignore[arg-type] - the words of the table
    with Registry.open(space, actor="dev", key=dev) as registry:
        registry.access.require("automatic:watch", "release")  # on behalf of dev, who may
        with pytest.raises(AccessDenied, match="may not promote"):
            registry.access.require("automatic:watch", "promote")  # who may not
        with pytest.raises(AccessDenied, match="the key is that of 'dev'"):
            registry.act_as("automatic:nightly", dev)


def test_nothing_is_written_in_the_name_of_somebody_without_their_key(space: Workspace) -> None:
    with Registry.open(space, actor="sue") as registry:
        _, sue = registry.users.add("sue", ("security officer",))
        before = registry.audit.events(limit=1000)
        for who in ("sue", "eve", ""):
            with pytest.raises(AccessDenied, match="no key was given"):
                registry.audit.append(who, "says", "something")
        assert registry.audit.events(limit=1000) == before
    with Registry.open(space, actor="sue", key=sue) as registry:
        registry.audit.append("", "says", "something")
        with pytest.raises(AccessDenied, match="the key is that of 'sue'"):
            registry.audit.append("eve", "says", "something")
        assert [event.who for event in registry.audit.events(subject="something")] == ["sue"]


def test_the_product_goes_to_safety_without_a_key_and_nowhere_else(space: Workspace) -> None:
    """The key of whoever delivers may be gone in the middle of a release; the way back is not."""
    with Registry.open(space, actor="ada") as registry:
        for number in (1, 2):
            registry.versions.register("m", {"notes.txt": b"%d" % number}, _lineage(), {})
            for stage in ("Staging", "Canary"):
                registry.lifecycle.transition(f"m:v{number}", stage)
        registry.promote("m:v1")
        release = registry.releases.open("m:v2")
        split = TrafficSplit(model="m", revision=0, blue="m:v1", gold="m:v2", mode="canary", gold_share=0.5)
        registry.traffic.set(split)
        registry.users.add("sue", ("security officer",))
    with Registry.open(space, actor="automatic:watch") as registry:
        with pytest.raises(AccessDenied):
            registry.traffic.set(msgspec.structs.replace(split, gold_share=1.0, mode="shift"))
        with pytest.raises(AccessDenied):
            registry.traffic.set(TrafficSplit(model="m", revision=0, blue="m:v2"))
        with pytest.raises(AccessDenied):
            registry.releases.advance(release.id, "shift")
        with pytest.raises(AccessDenied):
            registry.promote("m:v2")
        registry.traffic.set(TrafficSplit(model="m", revision=0, blue="m:v1", reason="Blue alone"))
        registry.releases.advance(release.id, "rolling_back")
        assert registry.restore("m").blue == "m:v1"
        registry.lifecycle.transition("m:v2", "RolledBack")
        registry.releases.advance(release.id, "rolled_back")
        assert registry.audit.verify().ok


def test_an_automatic_actor_with_a_key_cannot_promote_a_regulated_version(
    space: Workspace, registry: Registry, add: Add
) -> None:
    version = add("Canary", plan_json=plan(approvals=1))
    registry.approvals.approve(version.ref, "ben")
    _, sue = registry.users.add("sue", ("security officer",), actor="sue")
    with Registry.open(space, actor="sue", key=sue) as opened:
        _, robot = opened.users.add("automatic", ("automatic",))
    with Registry.open(space, actor="automatic", key=robot) as opened:
        with pytest.raises(AccessDenied, match="asks for a person"):
            opened.promote(version.ref)
        with pytest.raises(AccessDenied, match="asks for a person"):
            opened.lifecycle.transition(version.ref, "Production")
        with pytest.raises(AccessDenied, match="only a person can approve"):
            opened.approvals.approve(version.ref)
        assert opened.lifecycle.production("flights") is None
