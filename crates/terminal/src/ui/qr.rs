//! A link as a QR code, for the phone that is held before the screen.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// Black on white in any terminal: most scanners do not read the reverse.
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
const RESET: &str = "\x1b[0m";

/// The code in lines of half blocks. `None` when the text is too long for one.
pub fn lines(text: &str) -> Option<Vec<String>> {
    let code = QrCode::new(text).ok()?;
    let drawn = code.render::<Dense1x2>().quiet_zone(true).build();
    Some(
        drawn
            .lines()
            .map(|line| format!("    {BLACK_ON_WHITE}{line}{RESET}"))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use qrcode::Color;

    use super::*;

    const LINK: &str = "https://login.tailscale.com/a/0123456789ab";

    #[test]
    fn every_module_is_drawn_as_it_is_with_a_quiet_zone_around() {
        const QUIET: usize = 4;
        let lines = lines(LINK).unwrap();
        let rows: Vec<Vec<bool>> = lines
            .iter()
            .map(|line| {
                let line = line.trim_start().strip_prefix(BLACK_ON_WHITE).unwrap();
                line.strip_suffix(RESET).unwrap()
            })
            .flat_map(|line| {
                let half = |dark: [char; 2]| line.chars().map(|c| dark.contains(&c)).collect();
                [half(['█', '▀']), half(['█', '▄'])]
            })
            .collect();
        let code = QrCode::new(LINK).unwrap();
        let width = code.width();
        for (y, row) in rows.iter().enumerate().take(width + 2 * QUIET) {
            assert_eq!(row.len(), width + 2 * QUIET);
            for (x, dark) in row.iter().enumerate() {
                let inside =
                    (QUIET..QUIET + width).contains(&x) && (QUIET..QUIET + width).contains(&y);
                let expected = inside && code[(x - QUIET, y - QUIET)] == Color::Dark;
                assert_eq!(*dark, expected, "{x},{y}");
            }
        }
    }

    #[test]
    fn a_code_fits_into_a_terminal_of_80_columns() {
        let widest = lines(&format!(
            "https://headscale.example.org/register/{}",
            "x".repeat(64)
        ))
        .unwrap()
        .iter()
        .map(|line| line.chars().filter(|c| " █▀▄".contains(*c)).count())
        .max();
        assert!(widest.unwrap() < 80, "{widest:?}");
    }
}
