"""The command line: one file for each command, each a thin call of the rooms below."""
