//! What crosses crates: end-to-end runs, interoperation, fault tests
