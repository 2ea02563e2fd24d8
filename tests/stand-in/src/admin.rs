use crate::maintenance;
use crate::server::StartError;
use crate::settings::Settings;
use crate::{database, migrations};

/// What `immich-admin` is asked for, as far as the appliance asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminCommand {
    /// Goes into maintenance mode.
    EnableMaintenanceMode,
    /// Leaves maintenance mode.
    DisableMaintenanceMode,
    /// Holds the tables against what this version knows.
    SchemaCheck,
}

impl AdminCommand {
    /// Does it; gives what it says and whether all is well. The real one's words are others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run(self, settings: &Settings) -> Result<(String, bool), StartError> {
        let pool = database::pool(database::config(&settings.database)?)
            .map_err(|error| StartError::Database(error.to_string()))?;
        match self {
            Self::EnableMaintenanceMode => {
                maintenance::set(&pool, true).await?;
                Ok(("Maintenance mode has been enabled.".to_owned(), true))
            }
            Self::DisableMaintenanceMode => {
                maintenance::set(&pool, false).await?;
                Ok(("Maintenance mode has been disabled.".to_owned(), true))
            }
            Self::SchemaCheck => {
                let drift = migrations::drift(&pool, settings.version).await?;
                if drift.is_empty() {
                    Ok(("No schema drift detected".to_owned(), true))
                } else {
                    Ok((
                        format!("Detected schema drift:\n{}", drift.join("\n")),
                        false,
                    ))
                }
            }
        }
    }
}
