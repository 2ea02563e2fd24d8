//! The guided way from the first sign-in to a backed-up Immich, as an ordinary user types it.

use anyhow::{Context as _, Result, ensure};
use virtual_appliance::{
    Disk, can_run,
    home::{Home, PASSPHRASE},
};

/// What is asked, and who answers.
const QUESTIONS: [&str; 9] = [
    "Do it now? (yes, later, never)",
    "Which one should be erased and used",
    "To go on, type",
    "Passphrase for the new drive:",
    "The same again:",
    "Type it back from the paper:",
    "Where to: s3:https://host/bucket",
    "S3 access key ID",
    "S3 secret access key:",
];
const KEPT: &str = "Type kept once it is in a safe place";

/// Runs `setup` at a terminal; `stages` are the answers to whether a stage is done now. Gives all
/// that was said, and which questions were asked.
fn set_up(home: &Home, drive: &str, stages: &[&str]) -> Result<(String, Vec<&'static str>)> {
    let mut running = home
        .appliance
        .command("stty cols 96 rows 30; exec immich-appliance setup")
        .user("family")
        .terminal()
        .spawn()?;
    let questions: Vec<&'static str> = QUESTIONS.into_iter().chain([KEPT]).collect();
    let mut stages = stages.iter();
    let mut asked = Vec::new();
    while let Some(which) = running.expect_any(&questions)? {
        asked.push(questions[which]);
        let answer = match which {
            0 => (*stages.next().context("one question too many")?).to_owned(),
            1 => format!("/dev/{drive}"),
            2 => drive.to_owned(),
            3 | 4 => PASSPHRASE.to_owned(),
            5 => running
                .so_far()
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix("    "))
                .map(|shown| shown.trim_end().to_owned())
                .context("nothing was shown that could be typed back")?,
            6 => home.repository(),
            7 => home.s3.access_key().to_owned(),
            8 => home.s3.secret_key().to_owned(),
            _ => "kept".to_owned(),
        };
        running.say(format!("{answer}\n"))?;
        // A question whose answer is no secret is written once more, with the answer.
        if ![3, 4, 5, 8].contains(&which) {
            running.expect(questions[which])?;
        }
    }
    ensure!(
        stages.next().is_none(),
        "a stage was not asked about: {asked:?}"
    );
    let output = running.wait()?;
    let said = output.text();
    output.ok()?;
    Ok((said, asked))
}

#[test]
fn one_command_leads_to_a_backed_up_immich_and_goes_on_where_it_was_left() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut home = Home::new("setup")?;
    let disk = Disk::blank("PHOTOS", 1024)?;
    home.appliance.plug(&disk)?;
    let drive = home.name_of(&disk)?;
    let greeted = home.run("greeting")?.text();
    ensure!(
        greeted.contains("Next: immich-appliance setup"),
        "{greeted}"
    );

    let (said, _) = set_up(&home, &drive, &["yes", "later", "never", "later"])?;
    ensure!(said.contains("Immich runs from the drive"), "{said}");
    ensure!(said.contains("Next: immich-appliance setup"), "{said}");
    home.sign_up()?;

    // Again: what is done and what was left out for good is not asked any more.
    let (said, asked) = set_up(&home, &drive, &["yes", "yes"])?;
    ensure!(said.contains("Everything is set up."), "{said}");
    let secrets = asked
        .iter()
        .filter(|question| question.contains("secret") || question.contains("Passphrase"))
        .count();
    ensure!(secrets == 1, "only the bucket's secret: {asked:?}");
    let status = home.json("status")?;
    ensure!(status["drive"]["state"] == "mounted", "{status}");
    ensure!(
        status["backup"]["last_good"].is_object() && status["backup"]["repository"].is_string(),
        "{status}"
    );

    // And a third time there is nothing left to ask; without a terminal it only tells.
    let (_, asked) = set_up(&home, &drive, &[])?;
    ensure!(asked.is_empty(), "{asked:?}");
    let seen = home.json("setup")?;
    let progress: Vec<&str> = seen["stages"]
        .as_array()
        .context("a list")?
        .iter()
        .filter_map(|stage| stage["progress"].as_str())
        .collect();
    ensure!(progress == ["done", "done", "skipped", "done"], "{seen}");

    // Once the drive is locked, as after each reboot, the one next step is another one.
    ensure!(home.run("lock")?.status == 0);
    let greeted = home.run("greeting")?.text();
    ensure!(
        greeted.contains("Next: immich-appliance unlock --start"),
        "{greeted}"
    );
    Ok(())
}
