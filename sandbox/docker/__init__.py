"""The `docker` driver: boxes as hardened containers of a Docker engine on this host."""
