//! Reading YAML 1.2 (and with it JSON): events of the parser become values with their places.
//!
//! Files may come from anywhere, so what they can make of a few bytes is bounded: depth, number of values, and what aliases
//! repeat counts each time.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::mistake::Mistake;
use super::node::{Key, Node, Place, Value};

/// Deepest nesting.
const DEPTH_MAX: usize = 64;
/// Most values of one file, aliases counted each time.
const NODES_MAX: usize = 2_000_000;

/// Reads the documents of a text; those without anything in them are left out.
///
/// # Errors
/// What is not YAML, what YAML has and definitions have no use for, and what is too large; with the place.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, Mistake> {
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| not_yaml(&error))?;
        let at = place(&span);
        reader.event(event, at).map_err(|mistake| mistake.at(at))?;
    }
    Ok(reader.documents)
}

fn not_yaml(error: &ScanError) -> Mistake {
    let at = Place {
        line: error.marker().line(),
        column: error.marker().col() + 1,
    };
    Mistake::new(
        format!("this is not YAML: {}", error.info()),
        "look at indentation and quotes there and just before",
    )
    .at(at)
}

fn place(span: &Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

/// A list or map whose end has not come yet.
#[derive(Debug)]
struct Open {
    at: Place,
    anchor: usize,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    List(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        key: Option<Key>,
    },
}

#[derive(Debug, Default)]
struct Reader {
    open: Vec<Open>,
    /// Values that aliases can repeat, with their sizes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    documents: Vec<Node>,
}

impl Reader {
    fn event(&mut self, event: Event<'_>, at: Place) -> Result<(), Mistake> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.is_key_expected() {
                    return self.key(text.into_owned(), style, at);
                }
                let value = scalar(text.into_owned(), style, tag.as_deref())?;
                self.add(Node { at, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                untagged(tag.as_deref())?;
                self.begin(at, anchor, Inside::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                untagged(tag.as_deref())?;
                let (entries, key) = (Vec::new(), None);
                self.begin(at, anchor, Inside::Map { entries, key })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn is_key_expected(&self) -> bool {
        let innermost = self.open.last().map(|open| &open.inside);
        matches!(innermost, Some(Inside::Map { key: None, .. }))
    }

    fn key(&mut self, name: String, style: ScalarStyle, at: Place) -> Result<(), Mistake> {
        if name == "<<" && style == ScalarStyle::Plain {
            return Err(Mistake::new(
                "YAML 1.2 has no merge keys",
                "write the keys out, or repeat a whole value with an alias",
            ));
        }
        let Some(Inside::Map { entries, key }) = self.open.last_mut().map(|open| &mut open.inside)
        else {
            return Ok(());
        };
        if let Some((first, _)) = entries.iter().find(|(key, _)| key.name == name) {
            let line = first.at.line;
            return Err(Mistake::new(
                format!("key {name:?} is given twice, first on line {line}"),
                "keep one of them",
            ));
        }
        *key = Some(Key { at, name });
        Ok(())
    }

    fn begin(&mut self, at: Place, anchor: usize, inside: Inside) -> Result<(), Mistake> {
        if self.is_key_expected() {
            return Err(Mistake::new(
                "a key is a list or a map",
                "use one word as key",
            ));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(Mistake::new(
                format!("values are nested deeper than {DEPTH_MAX}"),
                "no definition is as deep",
            ));
        }
        self.open.push(Open { at, anchor, inside });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Mistake> {
        let Some(Open { at, anchor, inside }) = self.open.pop() else {
            return Ok(());
        };
        let value = match inside {
            Inside::List(items) => Value::List(items),
            Inside::Map { entries, .. } => Value::Map(entries),
        };
        self.add(Node { at, value }, anchor)
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Mistake> {
        if self.is_key_expected() {
            return Err(Mistake::new("a key is an alias", "use one word as key"));
        }
        // What is still open has no end yet, and would have none inside itself.
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(Mistake::new(
                "this alias stands inside of what it repeats",
                "write the value out",
            ));
        };
        self.nodes += size;
        self.check_size()?;
        let value = node.value.clone();
        self.put(Node { at, value })
    }

    /// Adds a value that stands in the file.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Mistake> {
        self.nodes += 1;
        self.check_size()?;
        if anchor > 0 {
            let size = size(&node);
            self.nodes += size;
            self.check_size()?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.put(node)
    }

    fn check_size(&self) -> Result<(), Mistake> {
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        Err(Mistake::new(
            format!("the file has more than {NODES_MAX} values, those counted that aliases repeat"),
            "use several files, and fewer aliases",
        ))
    }

    fn put(&mut self, node: Node) -> Result<(), Mistake> {
        match self.open.last_mut().map(|open| &mut open.inside) {
            Some(Inside::List(items)) => items.push(node),
            Some(Inside::Map { entries, key }) => {
                entries.extend(key.take().map(|key| (key, node)));
            }
            None if node.value == Value::Null => {}
            None => self.documents.push(node),
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|(_, value)| size(value)).sum(),
        _ => 0,
    }
}

fn untagged(tag: Option<&Tag>) -> Result<(), Mistake> {
    match tag {
        None => Ok(()),
        Some(tag) => Err(Mistake::new(
            format!("tag {tag} means nothing here"),
            "leave it out",
        )),
    }
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, Mistake> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(Value::Text(text)),
        Some(_) => untagged(tag).map(|()| Value::Null),
        None if style == ScalarStyle::Plain => Ok(plain(text)),
        None => Ok(Value::Text(text)),
    }
}

/// What a word without quotes is, after the core schema of YAML 1.2 (section 10.3.2). Infinities and the like stay texts: no
/// definition has them.
fn plain(text: String) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(&text).unwrap_or(Value::Text(text))
}

fn number(text: &str) -> Option<Value> {
    let radix = |digits: &str, radix: u32| {
        let is_plain = digits.bytes().all(|digit| digit.is_ascii_alphanumeric());
        let number = u64::from_str_radix(digits, radix).ok()?;
        is_plain.then_some(Value::Unsigned(number))
    };
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.strip_prefix('.').unwrap_or(unsigned);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let is_number = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !is_number {
        return None;
    }
    if let Ok(number) = text.parse() {
        return Some(Value::Unsigned(number));
    }
    if let Ok(number) = text.parse() {
        return Some(Value::Signed(number));
    }
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .map(Value::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Value {
        let mut documents = documents(text).unwrap();
        assert_eq!(documents.len(), 1, "{text}");
        documents.remove(0).value
    }

    fn mistake(text: &str) -> (usize, String) {
        let mistake = documents(text).expect_err(text);
        (mistake.at.unwrap().line, mistake.message)
    }

    #[test]
    fn words_are_what_the_core_schema_says() {
        let cases = [
            ("~", Value::Null),
            ("true", Value::Bool(true)),
            ("12", Value::Unsigned(12)),
            ("-12", Value::Signed(-12)),
            ("0o17", Value::Unsigned(15)),
            ("0x1F", Value::Unsigned(31)),
            ("022", Value::Unsigned(22)),
            ("1.5e3", Value::Float(1500.0)),
            (".5", Value::Float(0.5)),
        ];
        for (text, value) in cases {
            assert_eq!(plain(text.to_owned()), value, "{text}");
        }
        for text in [
            "yes",
            "no",
            "on",
            "1:30",
            "2026-11-23",
            "1_000",
            "0x",
            ".inf",
            "-",
            "1.2.3",
            "+",
            "e1",
        ] {
            assert_eq!(plain(text.to_owned()), Value::Text(text.to_owned()));
        }
        assert_eq!(one("'12'"), Value::Text("12".to_owned()));
        assert_eq!(one("!!str 12"), Value::Text("12".to_owned()));
    }

    #[test]
    fn places_are_those_of_the_file() {
        let text = "# a comment\na:\n  - b: 1\n    c: |\n      x\n      y\n  - d\n---\ne: f\n";
        let read = documents(text).unwrap();
        assert_eq!(read.len(), 2);
        let place = |path: &str| {
            let (at, shown) = read[0].find(path);
            (at.line, at.column, shown)
        };
        assert_eq!(place("a"), (2, 1, None));
        assert_eq!(place("a[0].b"), (3, 5, Some("1".to_owned())));
        assert_eq!(place("a[0].c"), (4, 5, Some("\"x\\ny\\n\"".to_owned())));
        assert_eq!(place("a[1]"), (7, 5, Some("\"d\"".to_owned())));
        assert_eq!(place("a[0].missing.x"), (3, 5, None), "as far as it leads");
        assert_eq!(read[1].find("e").0.line, 9);
    }

    #[test]
    fn json_is_yaml() {
        let json = r#"{"a": [1, "b", null, {"c": "\u00e9\n\/"}], "d": true}"#;
        let Value::Map(entries) = one(json) else {
            panic!("a map");
        };
        assert_eq!(entries.len(), 2);
        let found = documents(json).unwrap()[0].find("a[3].c").1;
        assert_eq!(found.as_deref(), Some("\"é\\n/\""));
    }

    #[test]
    fn what_means_nothing_here_is_refused_with_its_line() {
        assert_eq!(mistake("a: 1\nb: 2\na: 3").0, 3);
        assert_eq!(mistake("x: &a {b: 1}\ny:\n  <<: *a").0, 3);
        assert_eq!(mistake("a: 1\nb: !thing 3").0, 2);
        assert_eq!(mistake("? [a]\n: b").0, 1);
        assert_eq!(mistake("a: &x\n  b: *x").0, 2);
        assert_eq!(mistake("a: [1,\nb: 2").0, 2);
        for text in [
            "{---",
            "a: *nowhere",
            "\t- a",
            "a: 'b",
            "[[[",
            "%",
            "- - -\n -",
        ] {
            // Whatever it is, it comes to an end.
            drop(documents(text));
        }
    }

    #[test]
    fn a_few_bytes_cannot_become_many_values() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        assert!(mistake(&bomb).1.contains("more than"));
        assert!(mistake(&"[".repeat(100)).1.contains("nested deeper"));
        let deep: String = (0..100)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect();
        assert!(mistake(&deep).1.contains("nested deeper"));
        assert_eq!(
            one("a: &x [1, 2]\nb: *x"),
            one("a: [1, 2]\nb: [1, 2]").at_places_of("a: &x [1, 2]\nb: *x")
        );
    }

    impl Value {
        /// The value of another text, if both are equal but for their places.
        fn at_places_of(self, text: &str) -> Self {
            fn bare(value: &Value) -> String {
                match value {
                    Value::List(items) => {
                        items.iter().map(|item| bare(&item.value) + ",").collect()
                    }
                    Value::Map(entries) => entries
                        .iter()
                        .map(|(key, node)| format!("{}={};", key.name, bare(&node.value)))
                        .collect(),
                    other => format!("{other:?}"),
                }
            }
            let other = one(text);
            assert_eq!(bare(&self), bare(&other));
            other
        }
    }
}
