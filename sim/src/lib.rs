//! Roads, vehicles, traffic, scenarios, sensors and a scripted remote operator
