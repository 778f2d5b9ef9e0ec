//! Pictures of an episode, decoded and encoded.
