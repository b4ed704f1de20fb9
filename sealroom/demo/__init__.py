"""``sealroom demo``: a whole study on this machine, by public commands only."""
