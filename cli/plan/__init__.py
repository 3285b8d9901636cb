"""What a policy would do, before anything is applied: `nicfleet render` and `nicfleet plan`.

The rules are the coordinator's own: its pure functions are called with what was read from files or from the cluster.

commands   the flags; nothing heavy is imported before a command runs
files      FILEs and inventories → documents and values      offline   from these alone
yaml_text  YAML as kubectl reads it                          live      what the API server and the agents say
seen       all that was read, as one value                   asking    what the API server would do, by dry runs
outlook    (seen, policies) → the coordinator's own plan
compare    desired and live objects → what changes           fields    parts of an object by managedFields
report     what is told, as values                           told      all of the above → the report
table      the report for people                             as_json   the report for programs
"""
