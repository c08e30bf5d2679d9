"""Records, words, errors and sessions: the ground that every other storey stands on."""
