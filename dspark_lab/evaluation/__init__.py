"""What a pair can do on prompts it has not seen."""
