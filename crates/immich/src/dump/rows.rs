//! Values of a table's rows as COPY writes them. Pure.

/// Which columns of a table are wanted, by their place in a row.
#[derive(Debug, Clone)]
pub(super) struct Picked(Vec<Option<usize>>);

impl Picked {
    /// The places of these columns; one that the table lacks gives no value.
    pub(super) fn new(columns: &[String], wanted: &[&str]) -> Self {
        Self(
            wanted
                .iter()
                .map(|name| columns.iter().position(|column| column == name))
                .collect(),
        )
    }

    /// The wanted values of a row, in the order they were asked for; `None` for NULL and for a
    /// column that is not there.
    pub(super) fn values<const N: usize>(&self, row: &[u8]) -> [Option<Vec<u8>>; N] {
        let fields: Vec<&[u8]> = row.split(|byte| *byte == b'\t').collect();
        std::array::from_fn(|index| {
            let place = self.0.get(index).copied().flatten()?;
            value(fields.get(place)?)
        })
    }

    /// Whether the table has the column that was asked for at `index`.
    pub(super) fn has(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(Option::is_some)
    }
}

/// A field with COPY's escapes undone; `None` for NULL.
fn value(field: &[u8]) -> Option<Vec<u8>> {
    if field == b"\\N" {
        return None;
    }
    let mut value = Vec::with_capacity(field.len());
    let mut at = 0;
    while at < field.len() {
        if field[at] != b'\\' {
            value.push(field[at]);
            at += 1;
            continue;
        }
        at += 1;
        let Some(byte) = field.get(at) else {
            break;
        };
        at += 1;
        value.push(match byte {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let mut code = u32::from(byte - b'0');
                let mut digits = 1;
                while digits < 3
                    && let Some(next @ b'0'..=b'7') = field.get(at)
                {
                    code = code * 8 + u32::from(next - b'0');
                    at += 1;
                    digits += 1;
                }
                u8::try_from(code & 0xff).unwrap_or_default()
            }
            other => *other,
        });
    }
    Some(value)
}

/// The bytes of a `bytea` value as pg_dump writes it: `\x` and hexadecimal digits.
pub(super) fn bytea(value: &[u8]) -> Option<Vec<u8>> {
    let digits = value.strip_prefix(b"\\x")?;
    if digits.len() % 2 != 0 {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| {
            let text = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(text, 16).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_columns_and_unescaped() {
        let columns = ["id", "path", "checksum"].map(str::to_owned);
        let picked = Picked::new(&columns, &["checksum", "absent", "path", "id"]);
        assert!(picked.has(0) && !picked.has(1));
        let values: [_; 4] = picked.values(b"7\ta\\tb\\\\c\\n\\101\t\\\\x00ff");
        assert_eq!(
            values,
            [
                Some(b"\\x00ff".to_vec()),
                None,
                Some(b"a\tb\\c\nA".to_vec()),
                Some(b"7".to_vec())
            ]
        );
        let values: [_; 4] = picked.values(b"7\t\\N\t");
        assert_eq!(values, [Some(vec![]), None, None, Some(b"7".to_vec())]);
    }

    #[test]
    fn bytes_are_read_from_their_digits() {
        assert_eq!(bytea(b"\\x00ff"), Some(vec![0, 255]));
        assert_eq!(bytea(b"\\x0"), None);
        assert_eq!(bytea(b"abc"), None);
    }
}
