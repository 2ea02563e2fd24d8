//! `drive benchmark`

use appliance_drive::cipher::{self, Cipher, Reason, Speed};

use crate::context::Context;
use crate::report::{Report, table};

struct Benchmark(cipher::Report);

/// Measures the ciphers on this machine.
pub fn run(context: &Context) -> anyhow::Result<Box<dyn Report>> {
    context.ui.say("Measuring …");
    Ok(Box::new(Benchmark(cipher::measure())))
}

impl Report for Benchmark {
    fn text(&self) -> String {
        let rows = [
            ["CIPHER", "WRITING", "READING"].map(String::from),
            row(Cipher::AesXts, &self.0.aes_xts),
            row(Cipher::Adiantum, &self.0.adiantum),
        ];
        format!(
            "{}\nA drive made here gets {}: {}.",
            table(&rows),
            self.0.choice,
            reason(self.0.reason)
        )
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(&self.0)
    }
}

fn row(cipher: Cipher, speed: &Speed) -> [String; 3] {
    let (encrypt, decrypt) = match speed {
        Speed::Measured { encrypt, decrypt } => {
            (format!("{encrypt:.0} MiB/s"), format!("{decrypt:.0} MiB/s"))
        }
        Speed::Lacking => ("not in this kernel".into(), String::new()),
        Speed::NotMeasurable { why } => (format!("not measurable: {why}"), String::new()),
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
        Reason::MeasuredFaster => "it is the faster one here",
        Reason::OtherLacking => "the kernel lacks the other",
    }
}
