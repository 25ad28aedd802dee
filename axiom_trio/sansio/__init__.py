"""The pure core: synchronous, without trio, os, time or sockets. Clocks come in as numbers."""
