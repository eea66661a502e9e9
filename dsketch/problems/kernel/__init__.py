"""The exponential kernel, never formed: swept tile by tile, or restricted to centres."""
