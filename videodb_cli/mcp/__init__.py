"""The MCP server: the log and the capture as tools and resources for AI agents (`videodb mcp`)."""
