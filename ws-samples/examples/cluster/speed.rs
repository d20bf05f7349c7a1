//! Measures.

use std::process::ExitCode;

use clap::Args;

#[derive(Args)]
pub(crate) struct Options {}

pub(crate) async fn run(_: Options) -> ExitCode {
    ExitCode::SUCCESS
}
