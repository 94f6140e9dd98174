"""S2 HTTP/1.1: the worker's own server, on its event loop, so that a request costs no switch between threads."""

__all__: list[str] = []
