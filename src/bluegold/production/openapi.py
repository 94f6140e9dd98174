"""The OpenAPI document of the serving side, with the contract's schema and a body that works."""

from __future__ import annotations

from typing import Any

from bluegold._version import __version__
from bluegold.production.lanes import Lanes

__all__ = ["openapi"]

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string"},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["id", "value", "score", "version", "color", "flags", "latency_ms"],
    "properties": {
        "id": {"type": "string"},
        "value": {"type": ["boolean", "number", "string"], "description": "the decision, a number, or a class"},
        "score": {"type": "number"},
        "scores": {"type": "array", "items": {"type": "number"}, "description": "one a class, where there are several"},
        "version": {"type": "string"},
        "color": {"enum": ["blue", "gold"]},
        "flags": {"type": "array", "items": {"type": "string"}},
        "latency_ms": {"type": "number"},
    },
}
_OUTCOMES = {
    "type": "object",
    "required": ["outcomes"],
    "properties": {
        "outcomes": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": {
                "type": "object",
                "required": ["id", "value"],
                "properties": {
                    "id": {"type": "string", "pattern": "^[0-9]{1,4}-[0-9]{1,9}-[0-9]{1,15}$"},
                    "value": {"type": ["boolean", "number", "string"], "maxLength": 200},
                },
            },
        }
    },
}


def openapi(model: str, lanes: Lanes | None) -> dict[str, Any]:
    """The document for what is served now; without a version in production the row is left open."""
    row: dict[str, Any] = lanes.blue.program.json_schema() if lanes else {"type": "object"}
    example = lanes.blue.program.example() if lanes else {}
    many = {"type": "object", "required": ["rows"], "properties": {"rows": _rows(row)}, "additionalProperties": False}
    predict = {
        "operationId": "predict",
        "summary": f"One governed prediction of '{model}', or many",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": [row, many]}, "example": example}},
        },
        "responses": _responses(
            {
                "anyOf": [
                    {"$ref": "#/components/schemas/Answer"},
                    {"type": "object", "properties": {"rows": _rows({"$ref": "#/components/schemas/Answer"})}},
                ]
            },
            ("400", "413", "415", "422", "503"),
        ),
    }
    found = {
        "operationId": "decision",
        "summary": "One recorded decision with everything that explains it",
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": _responses({"type": "object"}, ("404",)),
    }
    outcomes = {
        "operationId": "outcomes",
        "summary": "What turned out to be true",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _OUTCOMES}}},
        "responses": _responses(
            {"type": "object", "properties": {"recorded": {"type": "integer"}}}, ("400", "413", "415", "422", "503")
        ),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": model, "version": lanes.blue.version if lanes else "none", "x-bluegold": __version__},
        "paths": {
            "/v1/predict": {"post": predict},
            "/v1/decisions/{id}": {"get": found},
            "/v1/outcomes": {"post": outcomes},
            "/v1/rollout": {"get": _view("rollout", "Who answers, and where the release stands")},
            "/v1/health": {"get": _view("health", "Workers, versions and the system mode")},
            "/metrics": {"get": _metrics()},
        },
        "components": {"schemas": {"Answer": _ANSWER, "Problem": _PROBLEM}},
    }


def _rows(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": 1000, "items": items}


def _responses(schema: dict[str, Any], problems: tuple[str, ...]) -> dict[str, Any]:
    fault = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        "200": {"description": "Done", "content": {"application/json": {"schema": schema}}},
        **{status: {"description": "A problem", "content": fault} for status in problems},
    }


def _view(name: str, summary: str) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": _responses({"type": "object"}, ("503",))}


def _metrics() -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "metrics",
        "summary": "Prometheus metrics of all workers",
        "responses": {"200": {"description": "Done", "content": content}},
    }
