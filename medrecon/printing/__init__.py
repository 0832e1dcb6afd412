"""From a surface to something a printer can make: one file an operation, on exact booleans."""
