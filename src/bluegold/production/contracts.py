"""S2 contracts: what each production stage promises, in the order a request meets them."""

from __future__ import annotations

from bluegold.core.nouns import Port, StageContract

__all__ = ["STAGES"]

_REQUEST = Port(name="request", kind="json", description="one row or many, as JSON, Parquet, CSV or a stream of lines")
_SAMPLE = Port(name="sample", kind="json", description="clean values and the flags the contract's policy raised")
_VECTOR = Port(name="vector", description="features in matrix order, float64, bit-identical to training")
_SCORED = Port(name="outcome", kind="json", description="value, score, colour and version; the other colour's score")
_RECORD = Port(name="decision", kind="json", description="hash-chained record: payload, vector, digests, caller, time")
_BOARD = Port(name="operations", kind="report", description="pulse, revision, counters and latencies of every worker")
_SPLIT = Port(name="traffic", kind="json", description="the numbered traffic split in force, from the registry")
_VERSION = Port(name="version", kind="model", description="artefacts whose digest and signature were verified")

#: (the method's stage name, module that does it, contract), in order
STAGES: tuple[tuple[str, str, StageContract], ...] = (
    (
        "Data Cleansing",
        "bluegold.features.row",
        StageContract(
            name="data_cleansing",
            section="S2",
            purpose="Decode the body by type, hold it against the contract, flag, clip or refuse what breaks it.",
            inputs=(_REQUEST,),
            outputs=(_SAMPLE,),
            gate="every field keeps its contract; a refused one is answered 422 with the field's name",
            owner="platform engineering",
            on_failure="400 or 422 with a JSON problem to the producer; batch rows go to quarantine with reasons",
            requirements=("AP-1",),
            timeout_s=1.0,
        ),
    ),
    (
        "Data Transformation",
        "bluegold.features.program",
        StageContract(
            name="data_transformation",
            section="S2",
            purpose="Compute the features by the version's own program; histories and look-ups from the online store.",
            inputs=(_SAMPLE, _VERSION),
            outputs=(_VECTOR,),
            gate="parity: the registered version showed bit-identical features in training and serving (gate 2)",
            owner="ML engineering",
            on_failure="a missing history or look-up is an empty feature, never an invented one",
            requirements=("AP-2",),
            timeout_s=1.0,
        ),
    ),
    (
        "Model Execution",
        "bluegold.production.execution",
        StageContract(
            name="model_execution",
            section="S2",
            purpose="Route by hash, let Blue or Gold score the row; the other colour listens during a release.",
            inputs=(_VECTOR, _SPLIT, _VERSION),
            outputs=(_SCORED,),
            gate="only a verified version with six green gates answers users; service level held by gate 4",
            on_failure="when Gold fails, Blue answers and the failure counts against Gold; Blue is never touched",
            requirements=("AP-3",),
            timeout_s=1.0,
        ),
    ),
    (
        "Results Store",
        "bluegold.production.results.decision_log",
        StageContract(
            name="results_store",
            section="S2",
            purpose="Write each decision to disk before it is answered; later outcomes join it by id.",
            inputs=(_SCORED,),
            outputs=(_RECORD,),
            gate="the record is on disk (fdatasync) and in the hash chain before the answer leaves",
            owner="platform engineering",
            on_failure="503 and no answer: what is not recorded was not decided",
            requirements=("AP-4", "AP-6", "CP-5", "SEC-2"),
            timeout_s=5.0,
        ),
    ),
    (
        "Pipeline Operations",
        "bluegold.production.operations.guard",
        StageContract(
            name="pipeline_operations",
            section="S2",
            purpose="Watch workers by process and pulse, replace lost ones, ask known answers, show health.",
            inputs=(_RECORD, _BOARD),
            outputs=(_BOARD,),
            gate="every worker shows its pulse, and every known answer is right",
            owner="operations",
            on_failure="lost workers are replaced with back-off; the last good configuration keeps answering",
            requirements=("AP-9", "AP-10", "NF-2", "NF-5", "NF-7"),
            timeout_s=1.0,
        ),
    ),
    (
        "Dev Ops / CD CI",
        "bluegold.production.following",
        StageContract(
            name="dev_ops",
            section="S2",
            purpose="Follow the traffic split: load the named versions, verify them, change over between two requests.",
            inputs=(_SPLIT, _VERSION),
            outputs=(_BOARD,),
            gate="signature and digest verify before load; the release table allows the phase",
            owner="operations",
            on_failure="a version that does not load is never served; the configuration before it stays",
            requirements=("NF-4", "NF-6", "SEC-3"),
            timeout_s=10.0,
        ),
    ),
)
