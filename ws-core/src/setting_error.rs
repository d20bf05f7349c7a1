//! Which setting is not possible, and why: the one error of all settings, those of servers and clients too.

use alloc::string::{String, ToString};

use thiserror::Error;

use crate::error::debug_by_display;

/// A setting with a value that is not possible, found before anything is opened with it.
#[derive(Clone, PartialEq, Eq, Error)]
#[error("{setting} = {value} is not possible: {must}")]
#[non_exhaustive]
pub struct SettingError {
    /// The name of the field or setter.
    pub setting: &'static str,
    /// Its value, as text.
    pub value: String,
    /// What it must be, or what to do.
    pub must: String,
}

impl SettingError {
    /// Returns the error of a setting, for crates that have settings beside those of the connection.
    pub fn new(setting: &'static str, value: impl ToString, must: impl Into<String>) -> Self {
        Self { setting, value: value.to_string(), must: must.into() }
    }
}

debug_by_display!(SettingError);
