"""`nicfleet must-gather`: one archive of what a person who helps would ask for, without anybody's secrets.

commands   the flags; nothing heavy is imported before the command runs
run        connect, collect within the time, finish the archive whatever happens
collect    the order in which things are collected          jobs         many small jobs, some at once
scope      what is collected, and what is left out of each   choice       of which nodes everything is taken
facts      what is remembered of pods, nodes and events      digest       the same, for the summary
redaction  what looks like a secret is replaced              documents    YAML and lines of JSON
api        what is asked of the API server                   fleet        what is asked of the coordinator
logs       a log within bounds                               frames       a command's output over the API server
diagnostics  what is asked of a driver's container, and what came back
archive    the .tar.gz, written as one goes
summary    what is told at a glance                          markdown, page   the two ways to write it
"""
