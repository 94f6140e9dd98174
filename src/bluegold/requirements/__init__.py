"""S6 requirements: the catalogue of 35 rows, the ledger of evidence and the checklist that joins them."""
