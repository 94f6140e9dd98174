"""Instruments: what several probes share, such as a client, traffic under which faults are made, and clocks."""
