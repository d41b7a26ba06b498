"""Offers the service to MCP clients: a model that is somebody else's asks questions here, and is told how it goes on.

This room alone imports `mcp` for the server's side; without the extra, `anabranch mcp` says how to get it.
"""
