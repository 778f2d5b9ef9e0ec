//! One WebRTC session between a robot and an operator's seat
