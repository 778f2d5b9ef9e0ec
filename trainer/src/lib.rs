//! Batch jobs: read episodes, train, evaluate, quantize, publish
