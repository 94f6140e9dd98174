"""S3 data stores: five protocols, one file per adapter, a URL or a kind gives a store."""

from bluegold.stores.urls import connect

__all__ = ["connect"]
