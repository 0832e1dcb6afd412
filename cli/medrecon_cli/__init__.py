"""The command line of medrecon: options in, progress and exit codes out."""
