"""From a graph to what runs it: here alone passes and backends meet."""
