"""S1 + S2 features: the contract and the one definition that training, batch scoring and serving share."""

__all__: list[str] = []
