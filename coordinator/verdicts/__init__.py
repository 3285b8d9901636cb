"""Is it ready? Checks give findings, findings give verdicts, verdicts give the status. Pure."""
