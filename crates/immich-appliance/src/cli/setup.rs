//! `setup`

use appliance::setup::Stage;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// `setup`
#[derive(Debug, Args)]
pub struct Setup {
    /// Skip a stage for good (can be given several times)
    #[arg(long, value_name = "STAGE", value_parser = stage())]
    pub skip: Vec<Stage>,
    /// Ask again about the stages that were skipped
    #[arg(long)]
    pub again: bool,
}

fn stage() -> impl TypedValueParser<Value = Stage> {
    let words = Stage::ALL.map(|stage| PossibleValue::new(stage.name()).help(stage.doc()));
    PossibleValuesParser::new(words).try_map(|word| {
        let stage = Stage::ALL.into_iter().find(|stage| stage.name() == word);
        stage.ok_or("there is no such stage")
    })
}
