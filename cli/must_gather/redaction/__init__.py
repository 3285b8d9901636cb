"""What is a secret, or may be one, is replaced before it is written. Pure.

In doubt it goes: a value too many is asked for again, one too few cannot be taken back. So objects are cut down by what
they are (tree), and only what people and programs write freely is searched for what secrets look like.

tree       objects: what stands where; texts of JSON are trees too
yaml_text  texts of YAML, too, which keep their comments
variables  of whose variables the values are kept
names      what is named for a secret
lines      a text: private keys, blocks of YAML, and JSON behind a timestamp
fields     names and flags with their values within a line
words      what has the shape of a secret, wherever it stands

Every pattern takes time linear in the text, and no line is longer than it may be, as texts are anybody's.
"""

from cli.must_gather.redaction.mask import CUT, LEFT_OUT, MASK
from cli.must_gather.redaction.tree import redact, redact_text

__all__ = ["CUT", "LEFT_OUT", "MASK", "redact", "redact_text"]
