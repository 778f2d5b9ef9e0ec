//! Takeover episodes: ring buffer with pre-roll, MCAP files that survive a crash, reader and recovery
