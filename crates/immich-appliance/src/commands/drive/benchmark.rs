//! `drive benchmark`

use appliance_drive::cipher::{self, Cipher, Reason, Speed};

use appliance_terminal::{Report, Told, table};

use crate::run::Run;

/// Measures the ciphers on this machine.
pub fn run(run: &Run) -> anyhow::Result<Box<dyn Report>> {
    run.ui.say("Measuring …");
    Ok(Box::new(Told::new(cipher::measure(), text)))
}

fn text(measured: &cipher::Report) -> String {
    let rows = [
        ["CIPHER", "WRITING", "READING"].map(String::from),
        row(Cipher::AesXts, &measured.aes_xts),
        row(Cipher::Adiantum, &measured.adiantum),
    ];
    format!(
        "{}\nA drive made here gets {}: {}.",
        table(&rows),
        measured.choice,
        reason(measured.reason)
    )
}

fn row(cipher: Cipher, speed: &Speed) -> [String; 3] {
    let (encrypt, decrypt) = match speed {
        Speed::Measured { encrypt, decrypt } => {
            (format!("{encrypt:.0} MiB/s"), format!("{decrypt:.0} MiB/s"))
        }
        Speed::Lacking => ("not in this kernel".into(), String::new()),
        Speed::NotMeasurable { why } => (format!("could not be measured: {why}"), String::new()),
    };
    [
        format!("{cipher}, {} bits", cipher.key_bits()),
        encrypt,
        decrypt,
    ]
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::AesInstructions => "the processor has AES instructions",
        Reason::NoAesInstructions => "the processor has no AES instructions",
        Reason::MeasuredFaster => "it is faster here",
        Reason::OtherLacking => "the kernel lacks the other",
    }
}
