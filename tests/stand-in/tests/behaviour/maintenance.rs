use super::*;
use immich_stand_in::AdminCommand;

/// Runs a command of `immich-admin` beside a running server.
fn administer(settings: &Settings, command: AdminCommand) -> (String, bool) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(command.run(settings)).unwrap()
}

#[test]
fn in_maintenance_mode_it_says_nothing_but_that_until_it_is_told_to_leave() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let settings = settings(media.path(), &postgres, None);
    let before = StandIn::start(settings.clone()).unwrap();
    admin(&before);
    drop(before);
    administer(&settings, AdminCommand::EnableMaintenanceMode);
    let stand_in = StandIn::start(settings.clone()).unwrap();
    assert_eq!(
        get(&stand_in, "/api/server/config"),
        r#"{"maintenanceMode":true}"#
    );
    let client = anyone(&stand_in);
    assert!(client.config().unwrap_err().is_maintenance());
    assert_eq!(client.statistics().unwrap_err().status(), Some(404));
    let maintenance = state(&client).unwrap();
    assert_eq!(maintenance, ServerState::Maintenance);

    // The way out that the state names.
    let help = maintenance.help().unwrap();
    assert!(help.ends_with("immich-admin disable-maintenance-mode"));
    let (_, well) = administer(&settings, AdminCommand::DisableMaintenanceMode);
    assert!(well);
    assert!(matches!(state(&client), Some(ServerState::Ready(_))));
    admin(&stand_in).statistics().unwrap();
}

#[test]
fn maintenance_mode_is_told_also_while_the_database_is_replaced() {
    let mut postgres = cluster!();
    let media = TempDir::new().unwrap();
    let settings = settings(media.path(), &postgres, None);
    drop(StandIn::start(settings.clone()).unwrap());
    administer(&settings, AdminCommand::EnableMaintenanceMode);
    let stand_in = StandIn::start(settings).unwrap();
    postgres.stop();
    assert_eq!(state(&anyone(&stand_in)), Some(ServerState::Maintenance));
}
