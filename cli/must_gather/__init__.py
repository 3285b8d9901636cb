"""`nicfleet must-gather`: one archive of what a person who helps would ask for, without anybody's secrets.

`scope` says what is collected and `choice` of which nodes; `reading` gets it from the API server, `logs`, `shell` and
`fleet` from pods and the coordinator; everything passes `redaction` on its way into `archive`. `collect` is the only
module that knows the order; `digest` remembers what `summary` and `page` tell.
"""
