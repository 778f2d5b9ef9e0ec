//! The control plane: signalling, fleet, catalogue, registry, metrics, dashboard
