//! Words as a server wrote them, in clauses, and how concepts stand to one another in them. Which words stand for
//! which concept is in [`super::concept`]; what they mean for an inbox is in the causes.

/// Words that stand for one thing, with ` | ` between them. Each is one word or several that follow one another; an
/// asterisk at the end of a word lets it go on.
pub(super) type Concept = &'static [&'static str];

/// How many words may stand between two that belong together.
const REACH: usize = 6;
/// How many words may stand between a negation and what it negates.
const NEGATION_REACH: usize = 3;

/// The words of an answer, small and without accents; links, addresses and marks are left out.
#[derive(Debug)]
pub(super) struct Text {
    words: Vec<Word>,
    /// The places of the words in the order of their letters: a reply may be long, and concepts are many.
    by_letters: Vec<usize>,
}

#[derive(Debug)]
struct Word {
    clause: usize,
    text: String,
}

/// Where a concept stands: words `from..to` of the text.
#[derive(Clone, Copy, Debug)]
struct Span {
    clause: usize,
    from: usize,
    to: usize,
}

impl Text {
    /// The words of what a server wrote. A clause ends at a full stop, a semicolon, a question or exclamation mark and
    /// a line's end. `camelCase` and `snake_case` are words of their own; a sign of Chinese is one too.
    pub(super) fn parse(written: &str) -> Self {
        let mut words = Vec::new();
        let mut clause = 0;
        for line in written.lines() {
            for piece in line.split_whitespace() {
                let bare = piece.trim_matches(|c: char| !c.is_alphanumeric());
                let ends = piece.ends_with(['.', ';', '!', '?'])
                    || piece.ends_with(".)")
                    || piece.ends_with(".\"");
                if !is_place(piece) {
                    split(bare, clause, &mut words);
                }
                if ends {
                    clause += 1;
                }
            }
            clause += 1;
        }
        let mut by_letters: Vec<usize> = (0..words.len()).collect();
        by_letters.sort_by_key(|at| words.get(*at).map(|word| word.text.as_str()));
        Self { words, by_letters }
    }

    /// Whether the concept stands anywhere.
    pub(super) fn says(&self, concept: Concept) -> bool {
        !self.find(concept).is_empty()
    }

    /// Whether the two stand in one clause, close to each other.
    pub(super) fn relates(&self, one: Concept, other: Concept) -> bool {
        let others = self.find(other);
        self.find(one)
            .iter()
            .any(|one| others.iter().any(|other| one.is_near(*other, REACH)))
    }

    /// Whether the concept stands in one clause with a negation of the other, close to each other.
    pub(super) fn relates_negated(&self, one: Concept, negated: Concept) -> bool {
        let others = self.find_negated(negated);
        self.find(one)
            .iter()
            .any(|one| others.iter().any(|other| one.is_near(*other, REACH)))
    }

    fn find_negated(&self, concept: Concept) -> Vec<Span> {
        let negations = self.find(super::concept::NOT);
        let mut found = self.find(concept);
        found.retain(|span| {
            negations.iter().any(|not| {
                not.clause == span.clause
                    && not.to <= span.from
                    && span.from - not.to <= NEGATION_REACH
            })
        });
        found
    }

    fn find(&self, concept: Concept) -> Vec<Span> {
        let mut found = Vec::new();
        for entry in concept.iter().flat_map(|line| line.split(" | ")) {
            let first = entry.split(' ').next().unwrap_or_default();
            for (from, word) in self.places_of(first) {
                let n_words = self
                    .words
                    .iter()
                    .skip(from)
                    .zip(entry.split(' '))
                    .take_while(|(given, wanted)| {
                        given.clause == word.clause && is_word(&given.text, wanted)
                    })
                    .count();
                if n_words == entry.split(' ').count() {
                    found.push(Span {
                        clause: word.clause,
                        from,
                        to: from + n_words,
                    });
                }
            }
        }
        found
    }

    /// Where a word stands, or what begins with it.
    fn places_of(&self, wanted: &str) -> impl Iterator<Item = (usize, &Word)> {
        let start = wanted.strip_suffix('*').unwrap_or(wanted);
        let text = |at: usize| self.words.get(at).map(|word| word.text.as_str());
        let begin = self
            .by_letters
            .partition_point(|at| text(*at).is_some_and(|text| text < start));
        self.by_letters
            .iter()
            .skip(begin)
            .filter_map(|at| Some((*at, self.words.get(*at)?)))
            .take_while(move |(_, word)| is_word(&word.text, wanted))
    }
}

impl Span {
    fn is_near(self, other: Self, reach: usize) -> bool {
        let (first, second) = if self.from <= other.from {
            (self, other)
        } else {
            (other, self)
        };
        first.clause == second.clause && first.to <= second.from && second.from - first.to <= reach
    }
}

fn is_word(given: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => given.starts_with(start),
        None => given == wanted,
    }
}

/// A link, a mail address or a host's name is no word of a sentence.
fn is_place(piece: &str) -> bool {
    piece.contains("://") || piece.contains('@') || piece.starts_with("www.")
}

/// The words within a piece without spaces.
fn split(piece: &str, clause: usize, words: &mut Vec<Word>) {
    let mut text = String::new();
    let mut last = ' ';
    let mut end = |text: &mut String| {
        if !text.is_empty() {
            words.push(Word {
                clause,
                text: std::mem::take(text),
            });
        }
    };
    for c in piece.chars() {
        if matches!(c, '\'' | '’') {
            continue;
        }
        let is_sign = is_chinese(c);
        if !c.is_alphanumeric() || is_sign || last.is_lowercase() && c.is_uppercase() {
            end(&mut text);
        }
        if c.is_alphanumeric() {
            text.extend(c.to_lowercase().map(plain));
        }
        if is_sign {
            end(&mut text);
        }
        last = c;
    }
    end(&mut text);
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// The letter without its accent.
fn plain(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOOR: Concept = &["door* | gate", "way in"];
    const SHUT: Concept = &["shut", "closed"];
    const OPEN: Concept = &["open*"];

    #[test]
    fn words_are_found_in_the_forms_that_servers_write() {
        for (written, expected) in [
            ("The door", true),
            ("two DOORS here", true),
            ("theDoorIsShut", true),
            ("the_door_is_shut", true),
            ("the-door", true),
            ("a way in", true),
            ("a gate", true),
            ("a way. In a moment", false),
            ("indoors", false),
            ("https://door.example/ jane@door.example", false),
            ("(door)", true),
        ] {
            assert_eq!(Text::parse(written).says(DOOR), expected, "{written}");
        }
    }

    #[test]
    fn concepts_belong_together_within_a_clause_and_close_to_each_other() {
        for (written, expected) in [
            ("The door is shut", true),
            ("Shut is the door", true),
            ("The door. It is shut", false),
            ("The door\nis shut", false),
            (
                "The door of that house on the hill over there is shut",
                false,
            ),
        ] {
            assert_eq!(
                Text::parse(written).relates(DOOR, SHUT),
                expected,
                "{written}"
            );
        }
        for (written, expected) in [
            ("The door is not open", true),
            ("The door isn't open", true),
            ("The door could not be opened", true),
            ("The door is open, not shut", false),
            ("Not now. The door is open", false),
        ] {
            let text = Text::parse(written);
            assert_eq!(text.relates_negated(DOOR, OPEN), expected, "{written}");
        }
    }

    #[test]
    fn accents_and_signs_of_other_scripts_are_read() {
        assert!(Text::parse("Límite excedido").says(&["limite"]));
        assert!(Text::parse("请使用授权码登录").says(&["授 权 码"]));
    }
}
