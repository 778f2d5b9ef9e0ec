//! `takeover bench`.
