//! Where an SQL statement ends, told as psql tells it. Pure.
//!
//! A dump is not trusted: what it calls text must be text to psql too. So anything that pg_dump
//! never writes and that the two could read differently (a psql command within a statement, a
//! block comment outside quotes) is an error, not a guess.

/// What cannot be read with certainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LexError {
    /// A backslash outside quotes: a command of psql.
    Backslash,
    /// `/*` outside quotes.
    BlockComment,
    /// A text with escapes that goes on after a line break.
    Continued,
    /// A zero byte, which no SQL has.
    Zero,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    Plain,
    /// Within `'…'`; with backslash escapes where it began with `E`.
    Text {
        escapes: bool,
    },
    /// Within `"…"`.
    Name,
    /// Within `$tag$…$tag$`; holds the whole delimiter.
    Dollar(Vec<u8>),
}

/// Reads one statement, however it comes in pieces. Pieces must end at line ends.
#[derive(Debug)]
pub(super) struct Lexer {
    mode: Mode,
    parentheses: u32,
    /// Depth of `BEGIN … END` and `CASE … END` in the body of a function in standard SQL.
    blocks: u32,
    /// A text with escapes has just ended.
    after_escapes: bool,
    /// The statement's first words, lower case, which tell whether it makes a function.
    words: Vec<Vec<u8>>,
}

impl Lexer {
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Plain,
            parentheses: 0,
            blocks: 0,
            after_escapes: false,
            words: Vec::new(),
        }
    }

    /// Goes on through `piece`; gives where in it the statement's `;` ends, if it does.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<Option<usize>, LexError> {
        let mut at = 0;
        while at < piece.len() {
            if piece[at] == 0 {
                return Err(LexError::Zero);
            }
            match &self.mode {
                Mode::Plain => {
                    let (next, ended) = self.plain(piece, at)?;
                    if ended {
                        return Ok(Some(next));
                    }
                    at = next;
                }
                Mode::Text { escapes } => {
                    let byte = piece[at];
                    if *escapes && byte == b'\\' {
                        at += 2;
                    } else {
                        // A doubled quote ends the text and begins it again, which is the same.
                        if byte == b'\'' {
                            let doubled = *escapes && piece.get(at + 1) == Some(&b'\'');
                            if doubled {
                                at += 1;
                            } else {
                                self.after_escapes = *escapes;
                                self.mode = Mode::Plain;
                            }
                        }
                        at += 1;
                    }
                }
                Mode::Name => {
                    if piece[at] == b'"' {
                        self.mode = Mode::Plain;
                    }
                    at += 1;
                }
                Mode::Dollar(tag) => match memchr::memmem::find(&piece[at..], tag) {
                    Some(found) => {
                        at += found + tag.len();
                        self.mode = Mode::Plain;
                    }
                    None if memchr::memchr(0, &piece[at..]).is_some() => {
                        return Err(LexError::Zero);
                    }
                    None => return Ok(None),
                },
            }
        }
        Ok(None)
    }

    /// One token outside quotes; gives where it ends, and whether it ends the statement.
    fn plain(&mut self, piece: &[u8], at: usize) -> Result<(usize, bool), LexError> {
        let rest = &piece[at..];
        if !rest[0].is_ascii_whitespace() {
            let continued = std::mem::take(&mut self.after_escapes) && rest[0] == b'\'';
            if continued {
                return Err(LexError::Continued);
            }
        }
        match rest[0] {
            b'\\' => return Err(LexError::Backslash),
            b'/' if rest.starts_with(b"/*") => return Err(LexError::BlockComment),
            b'-' if rest.starts_with(b"--") => {
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                return Ok((at + end, false));
            }
            b'\'' => self.mode = Mode::Text { escapes: false },
            b'"' => self.mode = Mode::Name,
            b'(' => self.parentheses += 1,
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            b';' if self.parentheses == 0 && self.blocks == 0 => return Ok((at + 1, true)),
            b'$' => {
                if let Some(tag) = dollar_tag(rest) {
                    let end = at + tag.len();
                    self.mode = Mode::Dollar(tag.to_vec());
                    return Ok((end, false));
                }
            }
            byte if is_word_start(byte) => {
                let length = rest
                    .iter()
                    .position(|byte| !is_word(*byte))
                    .unwrap_or(rest.len());
                let (word, after) = rest.split_at(length);
                if matches!(word, b"e" | b"E") && after.first() == Some(&b'\'') {
                    self.mode = Mode::Text { escapes: true };
                    return Ok((at + length + 1, false));
                }
                self.word(word);
                return Ok((at + length, false));
            }
            _ => {}
        }
        Ok((at + 1, false))
    }

    /// Only outside parentheses do the words count that open and close a body.
    fn word(&mut self, word: &[u8]) {
        let word = word.to_ascii_lowercase();
        if self.parentheses == 0 && self.makes_function() {
            match word.as_slice() {
                b"begin" => self.blocks += 1,
                b"case" if self.blocks > 0 => self.blocks += 1,
                b"end" => self.blocks = self.blocks.saturating_sub(1),
                _ => {}
            }
        }
        if self.words.len() < 4 {
            self.words.push(word);
        }
    }

    fn makes_function(&self) -> bool {
        let words: Vec<&[u8]> = self.words.iter().map(Vec::as_slice).collect();
        matches!(
            words.as_slice(),
            [b"create", b"function" | b"procedure", ..]
                | [b"create", b"or", b"replace", b"function" | b"procedure", ..]
        )
    }
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// `$tag$` at the beginning of `text`.
fn dollar_tag(text: &[u8]) -> Option<&[u8]> {
    let inner = &text[1..];
    let end = inner
        .iter()
        .position(|byte| !(is_word_start(*byte) || byte.is_ascii_digit()))?;
    let starts_well = !inner[0].is_ascii_digit();
    (inner[end] == b'$' && starts_well).then(|| &text[..end + 2])
}

/// A token of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word without quotes, lower case, as PostgreSQL reads it.
    Word(String),
    /// A name in double quotes.
    Name(String),
    /// A text in single quotes or dollars, without its content's escapes undone.
    Text(Vec<u8>),
    /// A digit sequence.
    Number(String),
    /// Anything else, one byte.
    Symbol(u8),
}

impl Token {
    /// The name that it stands for, where it may stand for one.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Name(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text == word)
    }
}

/// The tokens of a whole statement that the [`Lexer`] has read, at most `limit` of them.
pub(super) fn tokens(text: &[u8], limit: usize) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    while at < text.len() && tokens.len() < limit {
        let rest = &text[at..];
        let byte = rest[0];
        if byte.is_ascii_whitespace() {
            at += 1;
        } else if rest.starts_with(b"--") {
            at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        } else if byte == b'"' {
            let (name, length) = quoted(rest, b'"');
            tokens.push(Token::Name(lossy(&name)));
            at += length;
        } else if byte == b'\'' {
            let (value, length) = quoted(rest, b'\'');
            tokens.push(Token::Text(value));
            at += length;
        } else if let Some(tag) = (byte == b'$').then(|| dollar_tag(rest)).flatten() {
            let body = &rest[tag.len()..];
            let end = memchr::memmem::find(body, tag).unwrap_or(body.len());
            tokens.push(Token::Text(body[..end].to_vec()));
            at += (2 * tag.len() + end).min(rest.len());
        } else if is_word_start(byte) {
            let end = rest.iter().position(|b| !is_word(*b)).unwrap_or(rest.len());
            if matches!(&rest[..end], b"e" | b"E") && rest.get(end) == Some(&b'\'') {
                let length = escaped(&rest[end..]);
                tokens.push(Token::Text(rest[end..end + length].to_vec()));
                at += end + length;
            } else {
                tokens.push(Token::Word(lossy(&rest[..end]).to_ascii_lowercase()));
                at += end;
            }
        } else if byte.is_ascii_digit() {
            let digits = |byte: &u8| byte.is_ascii_digit();
            let end = rest.iter().position(|b| !digits(b)).unwrap_or(rest.len());
            tokens.push(Token::Number(lossy(&rest[..end])));
            at += end;
        } else {
            tokens.push(Token::Symbol(byte));
            at += 1;
        }
    }
    tokens
}

/// What stands in quotes at the beginning of `text`, a doubled one undone, and the length of it all.
fn quoted(text: &[u8], quote: u8) -> (Vec<u8>, usize) {
    let mut value = Vec::new();
    let mut at = 1;
    while at < text.len() {
        if text[at] == quote {
            if text.get(at + 1) != Some(&quote) {
                return (value, at + 1);
            }
            at += 1;
        }
        value.push(text[at]);
        at += 1;
    }
    (value, text.len())
}

/// The length of a text with backslash escapes, its quotes included.
fn escaped(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'\'' if text.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Where the first statement ends, fed line by line.
    fn end(text: &str) -> Result<Option<usize>, LexError> {
        let mut lexer = Lexer::new();
        let mut before = 0;
        for line in text.split_inclusive('\n') {
            if let Some(at) = lexer.feed(line.as_bytes())? {
                return Ok(Some(before + at));
            }
            before += line.len();
        }
        Ok(None)
    }

    #[test]
    fn a_semicolon_ends_a_statement_only_outside_of_everything() {
        for text in [
            "SELECT 1;",
            "SELECT ';' , \";\", $$;$$, $x$;$$;$x$;",
            "SELECT 'it''s;';",
            "SELECT E'\\';' ;",
            "SELECT E'a'';b';",
            "SELECT 1 -- no; not \\! here\n;",
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);",
            "CREATE FUNCTION f() RETURNS int\n LANGUAGE sql\n BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\n END;",
            "CREATE OR REPLACE FUNCTION f() RETURNS int AS $_$ begin; \\! \n $_$ LANGUAGE plpgsql;",
            "CREATE INDEX i ON t USING vchordrq (e) WITH (options='a = false\n[build.internal]\nlists = [1000]');",
        ] {
            assert_eq!(end(text), Ok(Some(text.len())), "{text}");
        }
        assert_eq!(end("SELECT $1;"), Ok(Some(10)));
        assert_eq!(end("SELECT a$b$;c;"), Ok(Some(12)));
        assert_eq!(end("SELECT 1$b$;$b$;"), Ok(Some(16)));
        assert_eq!(end("SELECT $1$b$;$b$;"), Ok(Some(17)));
        assert_eq!(end("SELECT (1;"), Ok(None));
        assert_eq!(end("BEGIN; SELECT 1;"), Ok(Some(6)));
    }

    #[test]
    fn what_two_readers_might_read_differently_is_an_error() {
        assert_eq!(end("SELECT 1 \\! true\n;"), Err(LexError::Backslash));
        assert_eq!(end("SELECT 'a' \\g x"), Err(LexError::Backslash));
        assert_eq!(end("SELECT /* ; */ 1;"), Err(LexError::BlockComment));
        assert_eq!(end("SELECT E'a'\n'\\';';"), Err(LexError::Continued));
        assert_eq!(end("SELECT '\0';"), Err(LexError::Zero));
        // Without `E`, a backslash is a letter like any other.
        assert_eq!(end("SELECT '\\';"), Ok(Some(11)));
    }

    #[test]
    fn tokens_are_words_names_and_texts() {
        let word = |text: &str| Token::Word(text.into());
        assert_eq!(
            tokens(b"GRANT Select ON \"we\"\"ird\" TO 'x''y' $$z$$ 12;", 99),
            [
                word("grant"),
                word("select"),
                word("on"),
                Token::Name("we\"ird".into()),
                word("to"),
                Token::Text(b"x'y".to_vec()),
                Token::Text(b"z".to_vec()),
                Token::Number("12".into()),
                Token::Symbol(b';'),
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Lexer::new().feed(&text);
            tokens(&text, 1000);
        }

        #[test]
        fn no_mixture_of_quotes_makes_them_panic(text in "[eE'\"$a;\\\\()\\n -]{0,40}") {
            let _ = Lexer::new().feed(text.as_bytes());
            tokens(text.as_bytes(), 1000);
        }
    }
}
