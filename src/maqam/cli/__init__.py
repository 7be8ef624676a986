"""The command line: one file a noun, each thin, its work imported when it runs."""
