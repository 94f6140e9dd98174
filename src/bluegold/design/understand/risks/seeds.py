"""Seeds: training that draws by chance, and nothing that fixes the draw."""

from __future__ import annotations

import re

from bluegold.design.understand.activities import Place
from bluegold.design.understand.risks.view import View

__all__ = ["find"]

_SEEDING = re.compile(
    r".*\b(seed|manual_seed|manual_seed_all|seed_everything|set_seed|set_random_seed|default_rng|PRNGKey|RandomState)$"
)
_KEYWORDS = frozenset({"random_state", "seed", "random_seed", "data_seed", "generator", "key", "rng"})
_CHANCE = re.compile(
    r"(sklearn\.(ensemble|neural_network|model_selection\.(train_test_split|ShuffleSplit|KFold|StratifiedKFold)|linear_model\.SGD|cluster|tree)"
    r"|torch\.(nn\.[A-Z]|nn\.functional\.dropout|optim\.|rand|utils\.data\.(DataLoader|random_split))|tensorflow\.|keras\.|xgboost\.|lightgbm\.|catboost\.|transformers\.Trainer|numpy\.random\.|random\.).*"
)
_NOT_CHANCE = frozenset(
    [
        *("score", "predict", "predict_proba", "get_params", "DMatrix", "Dataset", "Pool", "save_model", "no_grad"),
        *("softmax", "device", "tensor", "from_numpy", "load", "save", "is_available", "cat", "stack", "zeros", "ones"),
    ]
)


def find(view: View) -> tuple[Place, ...]:
    """The first drawing call of each training module, when nothing in that module fixes a seed."""
    found = []
    for module in view.modules("train"):
        if any(_SEEDING.match(call.name) or call.keywords & _KEYWORDS for call in module.calls):
            continue
        drawn = [
            call
            for call in module.calls
            if _CHANCE.match(call.name) and call.name.rpartition(".")[2] not in _NOT_CHANCE
        ]
        if any("**" in call.keywords for call in drawn):
            continue  # what is passed on cannot be told here
        if drawn and '"seed"' not in module.source and "'seed'" not in module.source:
            fits = {place.line for place in view.activity("train") if place.path == module.path}
            first = min(drawn, key=lambda call: (call.line not in fits, call.line))
            found.append(Place(path=module.path, line=first.line, shows=f"{first.name}() without a seed"))
    return tuple(found)
