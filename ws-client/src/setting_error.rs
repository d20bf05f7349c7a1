//! Which setting of a client is not possible, and why.

use thiserror::Error;
use ws_core::ConfigError;

use crate::debug::debug_as_display;

/// A setting that cannot work, found when [`Options`](crate::Options) are built or
/// [`Tls`](crate::Options::tls) is given certificates.
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
    pub(crate) fn new(setting: &'static str, value: impl ToString, must: impl Into<String>) -> Self {
        Self { setting, value: value.to_string(), must: must.into() }
    }
}

impl From<ConfigError> for SettingError {
    fn from(error: ConfigError) -> Self {
        Self::new(error.setting, error.value, error.must)
    }
}

debug_as_display!(SettingError);
