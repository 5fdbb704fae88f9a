"""Shows events and rows: in columns for people, as CSV, TSV or a Markdown table for programs and documents."""
