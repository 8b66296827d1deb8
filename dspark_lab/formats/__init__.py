"""Drafters written in the formats of other projects; ``dspark_lab.drafters`` reads theirs."""
