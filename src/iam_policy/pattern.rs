//! Patterns of policies: `*` stands for any run of characters, `?` for one.
//!
//! A text is a pattern without wildcards, so one function says both whether a pattern matches a text and whether it surely
//! matches everything that another pattern matches. Work is bounded by steps: a pattern made to be slow is not decided.

use super::truth::Truth;

/// The steps after which a comparison is given up. Policies of AWS have 32 KiB at most, and ARNs 2 KiB.
const MAX_STEPS: usize = 1 << 24;

/// The parts of an ARN: `arn:partition:service:region:account:resource`.
const ARN_PARTS: usize = 6;

/// A pattern; without wildcards, a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

/// One sign of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// Any run of characters.
    Run,
    /// Any one character.
    One,
    /// This character.
    Char(char),
}

/// What a value of a policy stands for in one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The pattern, with a `*` for each variable that could not be resolved.
    pub pattern: Pattern,
    /// Whether there is such a variable. AWS may then take the whole statement as invalid: it can only be unknown.
    pub unresolved: bool,
}

/// The value of a policy variable, if it has exactly one that is known.
pub enum Variable {
    /// This one.
    Value(String),
    /// The request does not have it.
    Absent,
    /// Unknown.
    Unknown,
}

impl Pattern {
    /// A pattern as written.
    pub fn new(text: &str) -> Self {
        Self::from_tokens(text.chars().map(|char| match char {
            '*' => Token::Run,
            '?' => Token::One,
            char => Token::Char(char),
        }))
    }

    /// A text: wildcards are characters like others.
    pub fn literal(text: &str) -> Self {
        Self { tokens: text.chars().map(Token::Char).collect() }
    }

    /// What everything matches.
    pub fn anything() -> Self {
        Self { tokens: vec![Token::Run] }
    }

    /// Runs of wildcards get one order, `?` before `*`, so that equal meanings look equal.
    fn from_tokens(tokens: impl Iterator<Item = Token>) -> Self {
        let mut ordered = Vec::with_capacity(tokens.size_hint().0);
        let mut run = false;
        for token in tokens {
            match token {
                Token::Run => run = true,
                Token::One => ordered.push(token),
                Token::Char(_) => {
                    if std::mem::take(&mut run) {
                        ordered.push(Token::Run);
                    }
                    ordered.push(token);
                }
            }
        }
        if run {
            ordered.push(Token::Run);
        }
        Self { tokens: ordered }
    }

    /// The pattern of values in which variables stand, such as `${aws:username}`. With `wildcards`, `*` and `?` are some.
    pub fn expand(text: &str, wildcards: bool, mut variable: impl FnMut(&str) -> Variable) -> Expanded {
        let mut tokens = Vec::with_capacity(text.len());
        let mut unresolved = false;
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let Some((name, after)) = behind.split_once('}') else { break };
            push_text(&mut tokens, before, wildcards);
            match resolve(name, &mut variable) {
                Some(value) => tokens.extend(value.chars().map(Token::Char)),
                None => {
                    unresolved = true;
                    tokens.push(Token::Run);
                }
            }
            rest = after;
        }
        push_text(&mut tokens, rest, wildcards);
        Expanded { pattern: Self::from_tokens(tokens.into_iter()), unresolved }
    }

    /// The same, for comparisons that ignore case: both sides must be folded.
    pub fn folded(&self) -> Self {
        let fold = |token: &Token| match token {
            Token::Char(char) => Token::Char(char.to_ascii_lowercase()),
            token => *token,
        };
        Self { tokens: self.tokens.iter().map(fold).collect() }
    }

    /// The same in capitals.
    pub(super) fn raised(&self) -> Self {
        let raise = |token: &Token| match token {
            Token::Char(char) => Token::Char(char.to_ascii_uppercase()),
            token => *token,
        };
        Self { tokens: self.tokens.iter().map(raise).collect() }
    }

    /// The text, if there are no wildcards.
    pub fn as_text(&self) -> Option<String> {
        let char = |token: &Token| match token {
            Token::Char(char) => Some(*char),
            _ => None,
        };
        self.tokens.iter().map(char).collect()
    }

    /// Whether everything matches it.
    pub fn is_anything(&self) -> bool {
        self.tokens == [Token::Run]
    }

    /// Whether the text matches; too much work to find out is `Unknown`.
    pub fn matches(&self, text: &str) -> Truth {
        self.matches_all(&Self::literal(text))
    }

    /// Whether what matches the other pattern matches this one: all of it, none of it, or some.
    pub fn matches_all(&self, values: &Self) -> Truth {
        relate(&self.tokens, &values.tokens)
    }

    /// Whether everything that matches the other pattern surely matches this one, too.
    pub fn covers(&self, other: &Self) -> bool {
        covers(&self.tokens, &other.tokens) == Some(true)
    }

    /// Whether some text may match both.
    pub fn overlaps(&self, other: &Self) -> bool {
        overlaps(&self.tokens, &other.tokens)
    }

    /// As [`Self::matches_all`], for ARNs: part by part, so that no wildcard reaches over a colon but in the last part.
    ///
    /// What is no ARN is not compared part by part; AWS does not say how. It is false at most.
    pub fn matches_all_arns(&self, values: &Self) -> Truth {
        match (self.arn_parts(), values.arn_parts()) {
            (Some(parts), Some(others)) => {
                Truth::all(parts.iter().zip(others).map(|(part, other)| relate(part, other)))
            }
            _ => self.matches_all(values).at_most_unknown(),
        }
    }

    /// As [`Self::matches_all`], for the resource of a statement.
    ///
    /// AWS documents parts between colons, and that a `*` at the end of a part may reach over the colon, and it completes
    /// ARNs with too few parts: only where all readings agree is the answer certain.
    pub fn matches_all_resources(&self, values: &Self) -> Truth {
        if self.is_anything() {
            return Truth::True;
        }
        let over_colons = self.matches_all(values);
        let Some(parts) = self.arn_parts() else {
            return over_colons.or(self.completed().matches_all(values)).at_most_unknown();
        };
        let by_part = match values.arn_parts() {
            Some(others) => Truth::all(parts.iter().zip(others).map(|(part, other)| relate(part, other))),
            None => Truth::Unknown,
        };
        // Whatever matches part by part matches as a whole, too.
        if over_colons == Truth::False { Truth::False } else { by_part.max(Truth::Unknown) }
    }

    /// The ARN with `*` for the parts that it lacks.
    fn completed(&self) -> Self {
        let colons = self.tokens.iter().filter(|token| **token == Token::Char(':')).count();
        let missing = (ARN_PARTS - 1).saturating_sub(colons);
        let added = (0..missing).flat_map(|_| [Token::Char(':'), Token::Run]);
        Self { tokens: self.tokens.iter().copied().chain(added).collect() }
    }

    /// The parts between colons; further colons belong to the last part.
    fn arn_parts(&self) -> Option<[&[Token]; ARN_PARTS]> {
        let mut parts = self.tokens.splitn(ARN_PARTS, |token| *token == Token::Char(':'));
        let mut found = [[].as_slice(); ARN_PARTS];
        for part in &mut found {
            *part = parts.next()?;
        }
        Some(found)
    }
}

fn push_text(tokens: &mut Vec<Token>, text: &str, wildcards: bool) {
    tokens.extend(text.chars().map(|char| match char {
        '*' if wildcards => Token::Run,
        '?' if wildcards => Token::One,
        char => Token::Char(char),
    }));
}

/// What stands for `${name}` or `${name, 'default'}`.
fn resolve(name: &str, variable: &mut impl FnMut(&str) -> Variable) -> Option<String> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name.to_owned());
    }
    let (name, default) = match name.split_once(',') {
        Some((name, default)) => (name, quoted(default)),
        None => (name, None),
    };
    let value = match variable(name.trim()) {
        Variable::Value(value) => value,
        Variable::Absent => default?.to_owned(),
        Variable::Unknown => return None,
    };
    // Whether AWS takes such a value as text, as wildcards or as parts of an ARN is not documented.
    if value.contains(['*', '?', ':', '$']) { None } else { Some(value) }
}

fn quoted(text: &str) -> Option<&str> {
    text.trim().strip_prefix('\'')?.strip_suffix('\'')
}

impl Token {
    /// Whether the other stands for exactly one character, which this one stands for, too.
    fn takes(self, other: Self) -> bool {
        match self {
            Self::One => other != Self::Run,
            token => token == other,
        }
    }
}

fn relate(pattern: &[Token], values: &[Token]) -> Truth {
    match covers(pattern, values) {
        Some(true) => Truth::True,
        Some(false) if !values.iter().any(|token| matches!(token, Token::Run | Token::One)) => Truth::False,
        _ if !overlaps(pattern, values) => Truth::False,
        _ => Truth::Unknown,
    }
}

/// Whether the pattern matches the others sign by sign, where only its `*` takes another `*`; nothing if it takes too long.
///
/// Without wildcards among the others the answer is exact. Only the last `*` seen is ever extended.
fn covers(pattern: &[Token], others: &[Token]) -> Option<bool> {
    let needed = pattern.iter().filter(|token| **token != Token::Run).count();
    if needed > others.len() {
        return Some(false);
    }
    let (mut p, mut o) = (0, 0);
    // Where to go on after a mismatch: the pattern behind the last `*`, and the first sign that it does not take.
    let mut retry: Option<(usize, usize)> = None;
    let mut steps = 0;
    while let Some(other) = others.get(o) {
        steps += 1;
        if steps > MAX_STEPS {
            return None;
        }
        match pattern.get(p) {
            Some(Token::Run) if p + 1 == pattern.len() => return Some(true),
            Some(Token::Run) => {
                p += 1;
                retry = Some((p, o));
            }
            Some(token) if token.takes(*other) => {
                p += 1;
                o += 1;
            }
            _ => {
                let Some((behind_run, not_taken)) = retry else { return Some(false) };
                (p, o) = (behind_run, not_taken + 1);
                retry = Some((p, o));
            }
        }
    }
    Some(pattern[p..].iter().all(|token| *token == Token::Run))
}

/// Whether some text may match both: true if it takes too long to find out.
fn overlaps(a: &[Token], b: &[Token]) -> bool {
    let (a, b) = without_common_start(a, b);
    if a.len().saturating_mul(b.len()) > MAX_STEPS {
        return true;
    }
    // below[j]: whether a[i + 1..] and b[j..] have a text in common; row: the same for a[i..].
    let mut below = vec![false; b.len() + 1];
    let mut row = vec![false; b.len() + 1];
    let ends_in_runs = b.iter().rev().take_while(|token| **token == Token::Run).count();
    below[b.len() - ends_in_runs..].fill(true);
    for token in a.iter().rev() {
        let is_run = *token == Token::Run;
        row[b.len()] = is_run && below[b.len()];
        for (j, other) in b.iter().enumerate().rev() {
            row[j] = if is_run || *other == Token::Run {
                // A run takes nothing, or one sign more.
                below[j] || row[j + 1]
            } else {
                (token.takes(*other) || other.takes(*token)) && below[j + 1]
            };
        }
        std::mem::swap(&mut row, &mut below);
    }
    below[0]
}

/// Both without the characters that they begin with, as far as these are the same: most ARNs share much.
fn without_common_start<'t>(a: &'t [Token], b: &'t [Token]) -> (&'t [Token], &'t [Token]) {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b && **a != Token::Run).count();
    (&a[same..], &b[same..])
}
