"""Runs seen and steered from outside: page and WebSocket on one port, control socket, client."""
