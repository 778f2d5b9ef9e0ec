//! On the robot: adapters, the vehicle core, the safety gate, streaming, policy updates
