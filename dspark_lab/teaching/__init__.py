"""What is only there to be looked at: wrong acceptance rules, a meter that catches them, the sequential head read aloud."""
