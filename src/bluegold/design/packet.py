"""The packet: the design as one JSON document in the methodology's public report contract.

Schema ``jm-labs.ai-pipeline-architecture.report.v1``: every entry cites evidence ids, lists are not empty.
"""

from __future__ import annotations

from typing import Any

from bluegold.design.brief import Brief
from bluegold.design.citations import Citation
from bluegold.design.facts import StageFact
from bluegold.design.places import module_place
from bluegold.design.sections.answers import risks
from bluegold.design.sections.s3_stores import WORKLOADS, chosen
from bluegold.design.sections.s5_delivery import GATES
from bluegold.design.validate import Check
from bluegold.requirements.catalog import category
from bluegold.requirements.checklist import shown_limit
from bluegold.stores.matrix import PROFILES

__all__ = ["SCHEMA", "completed", "packet"]

SCHEMA = "jm-labs.ai-pipeline-architecture.report.v1"
_TAGS = {"explicit": "[EXPLICIT]", "inferred": "[INFERRED]", "open": "[OPEN]"}
_VERSIONING = {"semantic": "semantic", "timestamp": "timestamp"}
_GATES = ("model_validation", "feature_validation", "data_quality", "performance", "security", "regression")


def packet(brief: Brief) -> dict[str, Any]:
    """Everything but validation and evidence, which need the written document: see :func:`completed`."""
    facts = brief.facts
    return {
        "schema": SCHEMA,
        "system": {
            "name": facts.name,
            "domain": facts.plan.domain,
            "mode": "greenfield" if facts.greenfield else "audit" if facts.history.versions else "modernization",
            "risk_level": facts.plan.risk,
            "regulated": facts.plan.regulated,
        },
        "pipeline_stages": [
            *_stages(brief, "development", facts.development),
            *_stages(brief, "production", facts.production),
        ],
        "data_stores": _stores(brief),
        "model_registry": _registry(brief),
        "cicd": _cicd(brief),
        "requirements": _requirements(brief),
        "risks": _risks(brief),
    }


def completed(
    given: dict[str, Any], checks: tuple[Check, ...], evidence: tuple[Citation, ...], unresolved: int
) -> dict[str, Any]:
    """The whole packet.

    Args:
        given: what :func:`packet` wrote.
        checks: the eleven items of the validation gate.
        evidence: everything that was cited.
        unresolved: how many inputs the document still asks for.
    """
    ok = {check.number: check.ok for check in checks}
    groups = {
        "assets": (10,),
        "deterministic_scripts": (10,),
        "quality_criteria": (8, 9, 11),
        "stage_coverage": (1, 2),
        "store_selection": (3,),
        "registry_capabilities": (4,),
        "cicd_gates": (5, 6),
        "requirements_mapping": (7,),
    }
    status = "block" if not all(ok.values()) else "warn" if unresolved else "pass"
    return {
        "schema": given["schema"],
        "system": given["system"],
        "evidence": [
            {"id": item.id, "tag": _TAGS[item.tag], "source": item.source, "summary": item.summary} for item in evidence
        ],
        **{key: value for key, value in given.items() if key not in {"schema", "system", "risks"}},
        "validation": {
            "status": status,
            "checks": [
                {
                    "name": name,
                    "status": "pass" if all(ok[number] for number in numbers) else "fail",
                    "items": [check.statement for check in checks if check.number in numbers],
                    "evidence_ids": _joined(check.evidence for check in checks if check.number in numbers),
                }
                for name, numbers in groups.items()
            ],
        },
        "risks": given["risks"],
    }


def _joined(lists: Any) -> list[str]:
    return list(dict.fromkeys(item for part in lists for item in part))


def _stages(brief: Brief, pipeline: str, stages: tuple[StageFact, ...]) -> list[dict[str, Any]]:
    found = []
    for title in dict.fromkeys(stage.title for stage in stages):
        parts = [stage for stage in stages if stage.title == title]
        marks = [brief.cites.cite(stage.place, f"contract of {stage.contract.name}") for stage in parts]
        found.append(
            {
                "pipeline": pipeline,
                "stage": title,
                "purpose": " ".join(stage.contract.purpose for stage in parts),
                "inputs": _joined([port.name for port in stage.contract.inputs] for stage in parts),
                "outputs": _joined([port.name for port in stage.contract.outputs] for stage in parts),
                "gates": [stage.contract.gate for stage in parts],
                "evidence_ids": list(brief.cites.ids(" ".join(marks))),
            }
        )
    return found


def _stores(brief: Brief) -> list[dict[str, Any]]:
    return [
        {
            "store_type": kind,
            "purpose": WORKLOADS[kind],
            "consistency_model": profile.consistency,
            "latency_class": profile.latency,
            "evidence_ids": list(brief.cites.ids(brief.ground(brief.decision(kind)))),
        }
        for kind, profile in PROFILES.items()
        if chosen(brief, kind)
    ]


def _registry(brief: Brief) -> dict[str, Any]:
    tool = next(item.decision.choice for item in brief.decisions if item.id == "registry_tool")
    marks = [
        brief.cites.cite(module_place("bluegold.registry.versions", "Versions"), "versions, signed and verified"),
        brief.cites.cite(module_place("bluegold.registry.lifecycle", "TRANSITIONS"), "the stage table"),
        brief.cites.cite(module_place("bluegold.registry.restore", "Restore"), "one step to the safe configuration"),
    ]
    return {
        "tool_decision": tool,
        "versioning_strategy": _VERSIONING.get(brief.decision("versioning").option, "hash"),
        "capabilities": [
            "artifact_versioning",
            "lineage",
            "stage_management",
            "rollback",
            "metadata",
            "approval_workflow",
            "access_control",
            "ab_configuration",
            "audit_trail",
        ],
        "promotion_stages": ["Staging", "Canary", "Production", "Archived"],
        "evidence_ids": list(brief.cites.ids(" ".join(marks))),
    }


def _cicd(brief: Brief) -> dict[str, Any]:
    marks = [brief.cites.cite(module_place("bluegold.delivery.release", "STEPS"), "the release table")]
    marks += [
        brief.cites.cite(module_place(f"bluegold.delivery.gates.{module}", "check"), f"gate {number} {name}")
        for number, name, _, module in GATES
    ]
    return {
        "strategy": "Blue-Gold",
        "gates": list(_GATES),
        "rollback_strategy": "one step to the archived Blue, rehearsed and timed in every release, automatic when a "
        "guardrail on quality, errors, agreement or latency is broken",
        "evidence_ids": list(brief.cites.ids(" ".join(marks))),
    }


def _requirements(brief: Brief) -> list[dict[str, Any]]:
    catalogue = brief.cites.cite(
        module_place("bluegold.requirements.catalog", "catalog"), "35 requirements of the method"
    )
    return [
        {
            "id": row.requirement.id,
            "category": category(row.requirement.id),
            "description": row.requirement.title,
            "threshold": shown_limit(row.requirement, row.requirement.threshold),
            "objective": shown_limit(row.requirement, row.requirement.objective),
            "mapped_component": row.requirement.component,
            "evidence_ids": list(brief.cites.ids(f"{catalogue} {brief.measured(row)}")),
        }
        for row in brief.facts.rows
    ]


def _risks(brief: Brief) -> list[dict[str, Any]]:
    """Risks of the design, and those of the system as it is with the places that show them."""
    texts = list(risks(brief))
    as_is = brief.facts.as_is
    for risk in as_is.risks if as_is else ():
        marks = [brief.cites.cite(f"code base: risk {risk.row.id}", risk.places[0].cited, "inferred")]
        marks += [brief.cites.cite(place.cited, place.shows) for place in risk.places[:4]]
        texts.append(f"{risk.row.title}: {risk.row.why} {' '.join(marks)}")
    if not texts:
        mark = brief.cites.cite("evidence.jsonl", "every requirement was measured")
        texts.append(f"no risk is known; what nobody looked for is not among them {mark}")
    return [{"description": _bare(text), "evidence_ids": list(brief.cites.ids(text))} for text in texts]


def _bare(text: str) -> str:
    return " ".join(part for part in text.split() if not part.startswith("[E-")).replace(" ,", ",")
