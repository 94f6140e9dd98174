"""S2 production pipeline: request -> cleanse -> features -> route -> execute -> durable decision -> answer."""
