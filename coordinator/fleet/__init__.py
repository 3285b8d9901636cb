"""Agents and what they say of their nodes: streams in, the latest inventory of each, facts and views out."""
