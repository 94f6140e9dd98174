"""Model verification: hold-out, fairness, robustness, explainability and a second check on production samples."""
